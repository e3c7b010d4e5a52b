"""Two backup programs of Debian, as the benchmark runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.progress import say

# Neither asks anything, and all that they keep lies in the folder of the measurement.
QUIET = {"RESTIC_PASSWORD": "bench", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
# tool -> what it is to do -> its argv
COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "restic": {
        "init": ("restic", "-r", "{repository}", "init"),
        "backup": ("restic", "-r", "{repository}", "backup", "{source}"),
        "restore": ("restic", "-r", "{repository}", "restore", "latest", "--target", "{target}"),
        "verify": ("restic", "-r", "{repository}", "check", "--read-data"),
    },
    "borg": {
        "init": ("borg", "init", "-e", "none", "{repository}"),
        "backup": ("borg", "create", "{repository}::{count}", "{source}"),
        "restore": ("borg", "extract", "{repository}::{count}"),
        "verify": ("borg", "check", "--verify-data", "{repository}"),
    },
}


class Tool:
    """A backup program of Debian on one folder; its repository is a folder of the same disk."""

    def __init__(self, name: str, source: Path, place: Path) -> None:
        self.name, self.source, self.place, self.count = name, source, place, 0
        place.mkdir(parents=True)
        self.environment = {
            **os.environ,
            **QUIET,
            "HOME": str(place),
            "XDG_CACHE_HOME": str(place / "cache"),
            "BORG_BASE_DIR": str(place),
        }
        self.run("init")

    def run(self, what: str) -> float:
        """Seconds of one command. Raises CalledProcessError."""
        target = self.place / "restored"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        self.count += what == "backup"
        places = {"source": self.source, "repository": self.place / "repository", "target": target}
        argv = [word.format(**places, count=self.count) for word in COMMANDS[self.name][what]]
        begun = time.monotonic()
        subprocess.run(argv, env=self.environment, cwd=target, check=True, capture_output=True)
        return time.monotonic() - begun


def is_here(name: str) -> bool:
    """Whether it is installed; without it there is no row."""
    found = shutil.which(name) is not None
    if not found:
        say(f"backups: {name} is not installed, it is left out")
    return found
