"""Whether a pull fits, said before it starts: bytes and inodes, and who uses the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .config import NodeConfig
from .errors import Refused

# Kept free beside what comes: manifests, folders, and the gateway's own work.
RESERVE_BYTES, RESERVE_INODES = 64 << 20, 2000


class Size(NamedTuple):
    """Bytes of content, and files."""

    bytes: int
    files: int


def free_on(folder: Path) -> Size:
    """What this user may still write there; a file system without inodes has plenty."""
    found = os.statvfs(folder)
    inodes = found.f_favail if found.f_files else 1 << 60
    return Size(found.f_bavail * found.f_frsize, inodes)


def require_room(
    config: NodeConfig, folder: Path, whole: Size, measure: Callable[[], Size]
) -> None:
    """Raises Refused when what comes does not fit into `folder`: how much it is, and who uses it.

    `whole` is the size of the source: when all of it fits, nothing is measured. Else `measure` says
    what is not there yet.
    """
    free = free_on(folder)
    if fits(whole, free):
        return
    new = measure()
    if not fits(new, free):
        used = ", ".join(f"{name} {in_words(size)}" for name, size in usage(config).items())
        raise Refused(
            f"there is no room: {in_words(new.bytes)} in {new.files} files would come, and"
            f" {in_words(free.bytes)} and {free.files} inodes are free, of which"
            f" {in_words(RESERVE_BYTES)} and {RESERVE_INODES} are kept; the stores here: {used}",
            "make room on this disk; the last good snapshot stays",
        )


def fits(size: Size, free: Size) -> bool:
    """Whether it does, beside what is kept free."""
    enough = size.bytes + RESERVE_BYTES <= free.bytes
    return enough and size.files + RESERVE_INODES <= free.files


def usage(config: NodeConfig) -> dict[str, int]:
    """Store -> bytes on disk, every inode once, the largest first."""
    places = [config.stores / "memory"]
    backups = config.stores / "backup"
    places += sorted(backups.iterdir()) if backups.is_dir() else []
    sizes = {str(place.relative_to(config.stores)): on_disk(place) for place in places}
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))


def on_disk(place: Path) -> int:
    """Bytes of the blocks below a folder; a file with several links counts once."""
    seen: set[int] = set()
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total


def in_words(size: float) -> str:
    """1.5 GB"""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
