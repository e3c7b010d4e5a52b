"""The staged copies of one source: `gen-<8 hex>/`, one of them named by the symlink `current`."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from .durable import sync_folder
from .linked import link_tree, only_tree, remove
from .manifest import MANIFEST, Files, root_hash, write_manifest
from .shelf import sync_filesystem
from .sqlite_copy import plain_state


def last_copy(home: Path) -> Path | None:
    """The copy in use; None when there is none."""
    return home / os.readlink(home / "current") if (home / "current").exists() else None


def new_copy(home: Path, last: Path | None) -> Path:
    """A new one with a `tree` of hard links to the last one's, not yet in use.

    The copy before the last is made into it, which differs in few links: a reader that has it open
    still had the time of one run. All others, of runs that were killed, are removed.
    """
    others = [one for one in home.glob("gen-*") if one != last]
    others.sort(key=lambda one: one.stat().st_mtime_ns)
    made = others.pop() if last and others else home / f"gen-{secrets.token_hex(4)}"
    for folder in others:
        remove(str(folder))
    tree = only_tree(made)
    if last:
        link_tree(last / "tree", tree)
    return made


def write_files(made: Path, files: Files, state: str) -> None:
    """Write the manifest of a new one."""
    document = {"root": root_hash(files), "files": files, "time": time.time(), "state": state}
    write_manifest(made / MANIFEST, document)


def manifest_state(copy: Path) -> list[int]:
    """What changes when a copy's manifest is written or replaced; nothing when it has none."""
    try:
        return plain_state(os.lstat(copy / MANIFEST))
    except FileNotFoundError:
        return []


def swap_in(home: Path, made: Path) -> None:
    """Make it the copy in use by one rename, durably."""
    sync_filesystem(made)
    beside = home / ".current.new"
    beside.unlink(missing_ok=True)
    os.symlink(made.name, beside)
    os.rename(beside, home / "current")
    sync_folder(home)
