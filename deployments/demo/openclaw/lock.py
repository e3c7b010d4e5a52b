"""The lock of a state folder: one gateway a folder, and how the command line finds its pid."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO


class AlreadyOwned(Exception):
    """Another gateway holds the state folder."""


def _file(state: Path) -> Path:
    return state / "tmp" / "gateway.lock"


def take_lock(state: Path) -> IO[str]:
    """Hold the folder until the process ends, however it ends. Raises AlreadyOwned."""
    _file(state).parent.mkdir(parents=True, exist_ok=True)
    lock = _file(state).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadyOwned from None
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid()}))
    lock.flush()
    return lock


def read_owner(state: Path) -> int | None:
    """The pid of the gateway that holds the folder, or None."""
    try:
        with _file(state).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(json.loads(lock.read())["pid"])
    except (OSError, ValueError, KeyError):
        return None
    return None
