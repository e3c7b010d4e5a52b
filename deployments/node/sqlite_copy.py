"""SQLite files: found by their header, copied by the online backup API, checked."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

HEADER = b"SQLite format 3\0"
BUSY_SECONDS = 30.0
TICK_NS = 2 * 10**7
"""A kernel's clock of files ticks each 1 to 10 ms."""


def is_database(file: Path) -> bool:
    """Whether a plain file begins as a SQLite database does."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            return stream.read(len(HEADER)) == HEADER
    except OSError:
        return False


def plain_state(status: os.stat_result) -> list[int]:
    """Changes whenever a file is written: inode, size, mtime, ctime."""
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def outlast_tick(changed_ns: int) -> None:
    """Wait until what is written now gets another time than that, at most a fiftieth of a second.

    Two writes within one tick leave the same state: what is read before its end may lack the second
    one, and nothing would tell.
    """
    age = time.time_ns() - changed_ns
    if 0 <= age < TICK_NS:
        time.sleep((TICK_NS - age) / 10**9)


def database_state(file: Path) -> list[Any]:
    """The same for a database, which is written when the log beside it is."""
    state: list[Any] = []
    for end in ("", "-wal", "-journal"):
        try:
            status = os.lstat(os.fspath(file) + end)
        except FileNotFoundError:
            status = None
        # A reader makes an empty log and removes it again: empty is as good as missing.
        state.append(plain_state(status) if status and status.st_size else None)
    return state


def copy_database(source: Path, target: Path) -> str:
    """Copy a database that may be written meanwhile; "" or what is wrong with it.

    The copy has the source's mode and the time of its last write. Take the state (database_state)
    before: what is written after it is read or told by the next one.
    """
    outlast_tick(max((one[-1] for one in database_state(source) if one), default=0))
    uri = f"file:{quote(os.fsencode(source))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as live,
            closing(sqlite3.connect(os.fspath(target))) as copy,
        ):
            live.backup(copy)  # all pages in one step: a writer can then not restart it
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whatever mode it had
            found = copy.execute("PRAGMA quick_check").fetchone()
    except (sqlite3.Error, OSError) as error:
        return str(error)
    if found is None or found[0] != "ok":
        return f"quick_check: {found[0] if found else 'no answer'}"
    status = os.stat(source)
    os.chmod(target, status.st_mode & 0o7777)
    times = [os.stat(f) for f in (source, Path(os.fspath(source) + "-wal")) if f.exists()]
    newest = max(time.st_mtime_ns for time in times)
    os.utime(target, ns=(newest, newest))
    return ""
