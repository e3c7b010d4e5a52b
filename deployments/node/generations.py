"""The staged copies of one source: `gen-<8 hex>/`, one of them named by the symlink `current`."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Any

from .delta import Delta
from .durable import sync_folder
from .linked import link_tree, only_tree, relink, remove
from .manifest import MANIFEST, Files, root_hash, write_manifest
from .shelf import read_json, sync_filesystem
from .sqlite_copy import plain_state

MEMO = "memo.json"


def last_copy(home: Path) -> Path | None:
    """The copy in use; None when there is none."""
    return home / os.readlink(home / "current") if (home / "current").exists() else None


def new_copy(home: Path, last: Path | None, delta: Delta) -> Path:
    """A new one with a `tree` of hard links to the last one's, not yet in use; the owners, modes
    and times of its folders are yet to be set.

    The copy before the last is made into it, which differs in few links: in those of `delta`, that
    of the last one, if it is the copy that this is a change of. A reader that has it open still had
    the time of one run. All others, of runs that were killed, are removed.
    """
    others = [one for one in home.glob("gen-*") if one != last]
    others.sort(key=lambda one: one.stat().st_mtime_ns)
    made = others.pop() if last and others else home / f"gen-{secrets.token_hex(4)}"
    for folder in others:
        remove(str(folder))
    before = read_memo(made).get("state")  # gone with the next line: a run may be killed after it
    tree = only_tree(made)
    if last and delta.since and before == delta.since:
        relink(last / "tree", tree, delta.touched, delta.gone)
    elif last:
        link_tree(last / "tree", tree)
    return made


def read_memo(copy: Path | None) -> dict[str, Any]:
    """What a run wrote down of its copy; {} when that is not the copy any more, or there is none.

    What is in a copy without its manifest is not known.
    """
    memo = read_json(copy / MEMO) if copy else {}
    return memo if copy and memo.get("manifest") == manifest_state(copy) else {}


def write_files(made: Path, files: Files, state: str) -> list[int]:
    """Write the manifest of a new one, and return its state."""
    document = {"root": root_hash(files), "files": files, "time": time.time(), "state": state}
    write_manifest(made / MANIFEST, document, is_durable=False)
    return manifest_state(made)


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
