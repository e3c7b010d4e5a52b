"""Processes that end in the middle of their work, at a random moment.

DUALJOE_KILLS sets at how many moments a test kills what it tests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KILLS = int(os.environ.get("DUALJOE_KILLS", "9"))


def descendants(pid: int) -> list[int]:
    """The children of a process and theirs."""
    try:
        found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return found + [below for one in found for below in descendants(one)]


def below(pid: int, name: str) -> list[int]:
    """The processes of this name that descend from one."""
    return [one for one in descendants(pid) if name_of(one) == name]


def name_of(pid: int) -> str:
    """The kernel's name of a process; "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def end(pids: Iterable[int]) -> None:
    """SIGKILL to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill(process: subprocess.Popen[Any], with_children: bool) -> None:
    """SIGKILL; the process alone (its rsync lives on), or all of it as in a power cut."""
    process.send_signal(signal.SIGSTOP)
    pids = descendants(process.pid) if with_children else []
    end([process.pid, *pids])
    process.wait()


def wait_for(process: subprocess.Popen[Any], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
