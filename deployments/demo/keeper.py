"""Restarts a program of a demo machine whenever it ends, as `Restart=always` would. Stdlib only.

Unlike systemd it has no watchdog: a program that hangs is left hanging.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from .launch import module_argv

PAUSE_SECONDS = 0.2


def keeper_argv(*words: str) -> tuple[str, ...]:
    """argv of a keeper of the program `words`."""
    return module_argv("deployments.demo.keeper", *words)


def main(argv: Sequence[str]) -> int:
    """[program, word...]: run it again and again; ends only with the machine."""
    while True:
        subprocess.run(argv, stdin=subprocess.DEVNULL)
        time.sleep(PAUSE_SECONDS)
