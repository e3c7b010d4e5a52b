"""Plain files that may be written meanwhile: copied whole, with mode, times and owner. And what a
folder has of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .sqlite_copy import outlast_tick, plain_state

TRIES = 3


def copy_plain(source: Path, target: Path) -> list[int] | None:
    """Copy until the file did not change under the copy (a few times at most).

    `target` must not be there. Returns the state (sqlite_copy.plain_state) that was copied, None
    when the file vanished meanwhile.
    """
    for _ in range(TRIES):
        try:
            state = plain_state(os.lstat(source))
            outlast_tick(state[-1])
            shutil.copyfile(source, target, follow_symlinks=False)
            shutil.copystat(source, target, follow_symlinks=False)
            copy_owner(source, target)
            if plain_state(os.lstat(source)) == state:
                break
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            return None
    return state


def copy_link(source: str | Path, target: str | Path) -> None:
    """A symlink of the same target, owner and time; `target` must not be there."""
    os.symlink(os.readlink(source), target)
    copy_owner(source, target)
    shutil.copystat(source, target, follow_symlinks=False)


def copy_folder(source: str | Path, target: str | Path) -> None:
    """Owner, mode and times of a folder: last, for writing into it changes its time."""
    copy_owner(source, target)
    shutil.copystat(source, target)


def copy_owner(source: str | Path, target: str | Path) -> None:
    """Keep the owner's numbers where this user may."""
    if os.geteuid() == 0:
        status = os.lstat(source)
        os.lchown(target, status.st_uid, status.st_gid)
