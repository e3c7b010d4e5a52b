"""The process table as the demo needs it: who belongs to which machine. Stdlib only, Python >= 3.9.

A process belongs to a machine when it carries the machine's marker in its environment, or when an
ancestor does (sshd overwrites its own environment with its title). A zombie counts as gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

MARKER = "DUALJOE_MACHINE"


class Process(NamedTuple):
    """One line of the table; `started` (clock ticks since boot) tells a reused pid apart."""

    pid: int
    parent: int
    started: int
    name: str


def read_process(pid: int) -> Process | None:
    """The process, or None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    opening, closing = text.index("("), text.rindex(")")  # the name may hold brackets itself
    name, fields = text[opening + 1 : closing], text[closing + 2 :].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), name)


def all_pids() -> list[int]:
    """The pids of all processes, zombies too."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def process_table() -> dict[int, Process]:
    """Every process that runs, by pid."""
    found = (read_process(pid) for pid in all_pids())
    return {process.pid: process for process in found if process is not None}


def read_command(pid: int) -> str:
    """The command line with spaces between the words; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def read_marker(pid: int) -> str:
    """The machine's folder that the process carries in its environment; empty when it has none."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    prefix = MARKER.encode() + b"="
    return next((e[len(prefix) :].decode() for e in entries if e.startswith(prefix)), "")


def descendants(pid: int, table: dict[int, Process]) -> list[int]:
    """The living processes below `pid`, parents before their children."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found = list(children.get(pid, ()))
    for child in found:  # grows while it is walked
        found.extend(children.get(child, ()))
    return found


def marked(is_ours: Callable[[str], bool], table: dict[int, Process]) -> list[int]:
    """Processes whose marker fits, and all their descendants; never this process itself."""
    found: dict[int, None] = {}
    for pid in table:
        marker = read_marker(pid)
        if marker and is_ours(marker):
            found[pid] = None
            found.update(dict.fromkeys(descendants(pid, table)))
    found.pop(os.getpid(), None)
    return list(found)


def kill_until_gone(victims: Callable[[], list[int]], seconds: float) -> list[int]:
    """SIGKILL what `victims` finds, again and again until it finds nothing: the killed fork, too.

    Returns the pids that it killed. Raises TimeoutError with those that are left.
    """
    killed: dict[int, None] = {}
    end = time.monotonic() + seconds
    while True:
        found = victims()
        if not found:
            return list(killed)
        killed.update(dict.fromkeys(found))
        send(found, signal.SIGKILL)
        if time.monotonic() >= end:
            raise TimeoutError(f"processes {found} are still there {seconds} s after SIGKILL")
        time.sleep(0.005)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process; one that is gone already is what was wanted."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.01
) -> float:
    """Ask until it is true; return the seconds it took. Raises TimeoutError that names `what`."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun >= seconds:
            raise TimeoutError(f"{what}: not so within {seconds} s")
        time.sleep(pause)
    return time.monotonic() - begun
