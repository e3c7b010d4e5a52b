"""The staged copies of one source: `gen-<8 hex>/`, one of them named by the symlink `current`."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path

from .durable import sync_folder
from .manifest import Files, root_hash, write_manifest
from .shelf import sync_filesystem


def last_copy(home: Path) -> Path | None:
    """The copy in use; None when there is none."""
    return home / os.readlink(home / "current") if (home / "current").exists() else None


def new_copy(home: Path) -> Path:
    """A name for the next one."""
    return home / f"gen-{secrets.token_hex(4)}"


def swap_in(home: Path, made: Path, files: Files) -> None:
    """Write its manifest and make it the copy in use by one rename, durably."""
    document = {"root": root_hash(files), "files": files, "time": time.time()}
    write_manifest(made / "manifest.json", document)
    sync_filesystem(made)
    beside = home / ".current.new"
    beside.unlink(missing_ok=True)
    os.symlink(made.name, beside)
    os.rename(beside, home / "current")
    sync_folder(home)


def remove_old_copies(home: Path, last: Path | None) -> None:
    """All but the copy in use and the one before it, which a reader may still have open."""
    others = [one for one in home.glob("gen-*") if one != last]
    others.sort(key=lambda one: one.stat().st_mtime_ns)
    for folder in others[:-1] if last else others:
        for inner, _, _ in os.walk(folder):
            os.chmod(inner, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
