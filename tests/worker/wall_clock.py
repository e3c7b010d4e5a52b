"""A wall clock that can be set for the processes of one test alone."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
# machine -> the numbers of clock_gettime and gettimeofday, by Linux's tables of system calls
CALLS = {"x86_64": (228, 96), "aarch64": (113, 169)}


def why_not() -> str:
    """Why no wall clock can be set for a test here; "" when it can."""
    if platform.machine() not in CALLS:
        return f"the system calls of {platform.machine()} are not known to this test"
    return "" if shutil.which("tcc") else "apt-get install tcc: it builds the clock that can be set"


class WallClock:
    """Built in `folder`; processes with `environment` follow `set`, at once."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        library = folder / "wall_clock.so"
        numbers = zip(("clock_gettime", "gettimeofday"), CALLS[platform.machine()], strict=True)
        names = [f"-DSYS_{call}={number}" for call, number in numbers]
        argv = ("tcc", "-shared", "-nostdlib", *names, "-o", str(library), str(SOURCE))
        subprocess.run(argv, check=True)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}
        self._file.write_bytes(struct.pack("q", 0))

    def set(self, seconds: int) -> None:
        """Move the wall clock to so far from the true time; the other clocks go on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))
