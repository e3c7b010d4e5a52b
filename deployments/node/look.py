"""How a tree is at one moment: a line of each file that any write to it changes.

find(1) walks it: in Python that takes three times as long, which is most of an hourly run in which
little has changed. What it wrote is kept as it is, and compared as text.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .errors import Failed

FOLDER, FILE, LINK = "d", "f", "l"
# Path from the tree, then kind, names, device, inode, size, mtime, ctime, mode, owner and group.
_FORMAT = r"%P\0%y %n %D %i %s %T@ %C@ %m %U %G\0"
_FOLDERS = r"%P/\0d\0"
_TOP = b"/\0d\0"
_VANISHED = ": No such file or directory"


class Seen(NamedTuple):
    """Path -> line of each file and link; paths of folders, each with a slash at its end and "" for
    the tree itself; paths of what is neither."""

    lines: dict[str, str]
    folders: list[str]
    others: list[str]


def look(tree: Path, meanwhile: Callable[[], None] = lambda: None) -> bytes:
    """All that is below a tree, as find writes it: the same bytes are the same tree, but for what
    `look_at` tells of its folders. `meanwhile` is done while find walks.

    Raises Failed when it is gone, or some of it may not be read.
    """
    argv = ("find", "-P", os.fspath(tree), "-type", "d", "-printf", _FOLDERS, "-o", "-printf")
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        find = subprocess.Popen(
            (*argv, _FORMAT),
            stdin=subprocess.DEVNULL,
            stdout=told,  # a pipe would be full before anyone reads it
            stderr=errors,
            env={**os.environ, "LC_ALL": "C"},
        )
        try:
            meanwhile()
            find.wait()
        except BaseException:
            find.kill()
            find.wait()
            raise
        told.seek(0)
        errors.seek(0)
        written = told.read()
        words = errors.read().decode("utf-8", "replace").splitlines()
    if wrong := [line for line in words if not line.endswith(_VANISHED)]:
        raise Failed(f"{tree} cannot be read: {'; '.join(wrong[:3])}"[:600])
    if find.returncode and not words:
        raise Failed(f"{tree} cannot be read: find ended with code {find.returncode}")
    if not written.startswith(_TOP):  # unmounted a moment ago: that is no empty tree
        raise Failed(f"{tree} is gone")
    return written


def make_out(written: bytes) -> Seen:
    """What find wrote."""
    words = os.fsdecode(written).split("\0")
    lines = dict(zip(words[0::2], words[1::2], strict=False))
    folders = [path for path, line in lines.items() if line == FOLDER]
    others = [path for path, line in lines.items() if line[0] not in (FOLDER, FILE, LINK)]
    for path in (*folders, *others):
        del lines[path]
    return Seen(lines, ["" if path == "/" else path for path in folders], sorted(others))


def look_at(root: Path, folders: Iterable[str]) -> dict[str, Any]:
    """Folder -> mode, mtime and owner; one that vanished is left out."""
    found = {}
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(root / folder)
            found[folder] = [status.st_mode, status.st_mtime_ns, status.st_uid, status.st_gid]
    return found


def state_in(line: str) -> list[int]:
    """A line's inode, size, mtime and ctime, as sqlite_copy.plain_state tells them."""
    _, _, _, inode, size, mtime, ctime, *_ = line.split(" ")
    return [int(inode), int(size), _nanoseconds(mtime), _nanoseconds(ctime)]


def inode_in(line: str) -> tuple[str, str]:
    """A line's device and inode."""
    _, _, device, inode, *_ = line.split(" ")
    return device, inode


def has_names(line: str) -> bool:
    """Whether it is of a file with more than one name."""
    kind, names, *_ = line.split(" ", 2)
    return kind == FILE and names != "1"


def _nanoseconds(time: str) -> int:
    """find writes ten digits after the point, the last of which is always 0."""
    seconds, _, fraction = time.partition(".")
    return int(seconds) * 10**9 + int(fraction[:9])
