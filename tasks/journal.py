"""What T440 keeps on disk beside the record: the journal, and the history between two checks."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.core.errors import MoveHeld, Refused
from tasks.core.site import Site
from tasks.core.state import History, Moment
from tasks.files import replace_file
from tasks.locks import locked, locked_or

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A check that only asks whether a move is under way holds its lock for some microseconds; the one
# that is to move waits that out, or its failover would be left to the next check.
PEEK_SECONDS = 0.5


def now() -> Moment:
    """This moment on T440: boot clock (it counts while suspended) and wall clock."""
    return Moment(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def boot_id() -> str:
    """The kernel's name of this boot of T440."""
    return BOOT_ID.read_text().strip()


def write_journal(site: Site, kind: str, **facts: Any) -> None:
    """Append one line to the journal; durable when this returns, whole beside other writers."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"time": stamp, "kind": kind, **facts}, default=str, sort_keys=True)
    path = site.watchdog.state / "journal.jsonl"
    with locked(path) as descriptor:
        _end_torn_line(descriptor)
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)


def read_journal(site: Site) -> list[dict[str, Any]]:
    """Every whole line, oldest first; a line torn by a power cut is left out."""
    path = site.watchdog.state / "journal.jsonl"
    entries = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            entries.append(json.loads(line))
    return entries


def _end_torn_line(descriptor: int) -> None:
    """A power cut can leave half a line: close it, so that the next one is whole."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")


def load_history(site: Site) -> History:
    """The history that the last check left; an empty one when there is none or it is torn."""
    path = site.watchdog.state / "history.json"
    try:
        raw = json.loads(path.read_text())
        raw["failovers"] = tuple(raw["failovers"])
        return History(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return History()


def save_history(site: Site, history: History) -> None:
    """Replace the history on the disk, whole or not at all."""
    replace_file(site.watchdog.state / "history.json", json.dumps(asdict(history)))


@contextlib.contextmanager
def check_lock(site: Site) -> Iterator[None]:
    """One check at a time turns observations into a decision; the others wait their turn."""
    with locked(site.watchdog.state / "check.lock"):
        yield


@contextlib.contextmanager
def move_lock(site: Site) -> Iterator[None]:
    """One move at a time; the kernel frees the lock when the process ends, however it ends.

    Raises MoveHeld when another move is under way.
    """
    held = MoveHeld("another move is under way")
    with locked_or(held, site.watchdog.state / "move.lock", PEEK_SECONDS):
        yield


@contextlib.contextmanager
def sync_lock(site: Site, seconds: float) -> Iterator[None]:
    """One memory sync at a time: a move waits for the scheduled one to end, at most `seconds`.

    Raises Refused when it did not end.
    """
    refused = Refused(f"another memory sync runs for {seconds:g} s")
    with locked_or(refused, site.watchdog.state / "sync.lock", seconds):
        yield


def is_moving(site: Site) -> bool:
    """Whether a move is under way now."""
    try:
        with locked(site.watchdog.state / "move.lock", wait=False):
            return False
    except BlockingIOError:
        return True
