"""Processes of this machine as the kernel shows them. A zombie counts as gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Callable, NamedTuple

from .sockets import listening_inodes


class Stat(NamedTuple):
    """Part of /proc/PID/stat; `started` (clock ticks since boot) tells a reused pid apart."""

    pid: int
    state: str
    parent: int
    session: int
    started: int


def read_stat(pid: int) -> Stat | None:
    """The process, or None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name may hold spaces and brackets
    if fields[0] in "ZX":
        return None
    return Stat(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def all_stats() -> list[Stat]:
    """Every process that runs, as far as this user may see."""
    found = (read_stat(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [stat for stat in found if stat is not None]


def in_session(session: int) -> list[int]:
    """The pids of one session: a gateway and what it started."""
    return [stat.pid for stat in all_stats() if stat.session == session]


def listeners(port: int) -> list[int]:
    """The pids that listen on a TCP port; empty when none does or they belong to another user."""
    sockets = {f"socket:[{inode}]" for inode in listening_inodes(port)}
    return [pid for pid in _own_pids() if sockets & _open_sockets(pid)] if sockets else []


def port_is_open(port: int) -> bool:
    """Whether anything listens on the port, whoever owns it; read from the kernel."""
    return bool(listening_inodes(port))


def _own_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _open_sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process; one that is gone already is what was wanted."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Ask until it is true or `seconds` have passed; tells which."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True
