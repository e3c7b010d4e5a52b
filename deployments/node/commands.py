"""What a site runs before and after a source is staged: stop writes, dump a database, go on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence

OUTPUT_CHARS = 300


def run_command(argv: Sequence[str], seconds: float) -> str:
    """Run one command; what went wrong in words, "" when it exited with 0.

    After `seconds` it is killed with whatever it started. What it started goes on when it ends by
    itself: a container that was stopped is started by such a command.
    """
    with tempfile.TemporaryFile() as output:  # a pipe would be held open by what it started
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{argv[0]} cannot be run: {error.strerror}"
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return f"{argv[0]} did not end within {seconds:g} s and was killed"
        output.seek(0)
        said = output.read().decode(errors="replace").strip()[-OUTPUT_CHARS:]
    if child.returncode == 0:
        return ""
    return f"{argv[0]} ended with {child.returncode}: {said or 'it said nothing'}"
