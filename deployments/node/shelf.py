"""One store on disk, and the few moves that are allowed in it.

.lock                    flock: one writer at a time
.incoming/tree/          what is being pulled; starts as hard links to the newest snapshot
snaps/<id>/tree/         published, never written again;  snaps/<id>/manifest.json
current                  symlink to snaps/<id>
pins/<name>              a snapshot that retention must keep
.rejected/  .trash/      refused, and on the way out
.offer/<sha256>          good files for the peer, which heals its own with them
.heal/                   what a heal is working with
verified.json            when the newest content was last seen and verified
rotten.json              what is not as it was published, until it is healed
scrub.json               how far the scrub has read
applied.json             memory only: what this node took in from whom
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .durable import sync_folder
from .errors import BadInput, Failed, Refused

VERIFIED = "verified.json"
OFFER = ".offer"


@dataclass(frozen=True)
class Shelf:
    """The folders of one store."""

    store: str
    folder: Path

    @property
    def incoming(self) -> Path:
        return self.folder / ".incoming"

    @property
    def tree(self) -> Path:
        return self.incoming / "tree"

    @property
    def snaps(self) -> Path:
        return self.folder / "snaps"

    @property
    def rejected(self) -> Path:
        return self.folder / ".rejected"

    @property
    def trash(self) -> Path:
        return self.folder / ".trash"

    @property
    def pins(self) -> Path:
        return self.folder / "pins"

    def snapshot(self, snapshot: str) -> Path:
        """The folder of a published snapshot; raises BadInput when there is none."""
        folder = self.snaps / snapshot
        if not (folder / "manifest.json").is_file():
            raise BadInput(f"{self.store} has no snapshot {snapshot}")
        return folder


def open_shelf(config: NodeConfig, store: str) -> Shelf:
    """The store of that name; its folders are made when they are missing."""
    shelf = Shelf(store, config.stores / store)
    for folder in (shelf.snaps, shelf.rejected, shelf.trash, shelf.pins):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return shelf


@contextmanager
def lock(shelf: Shelf, wait_seconds: float = 10.0, name: str = ".lock") -> Iterator[int]:
    """Hold the store; yields the lock's descriptor.

    A child that inherits the descriptor holds the lock as well: an rsync that outlives us can
    then never write into what somebody else publishes. Raises Refused when another one holds it.
    """
    descriptor = os.open(shelf.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Refused(
                        f"{shelf.store} is in use by another run for {wait_seconds:g} s"
                    ) from None
                time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def make_id(now: float) -> str:
    """A new snapshot's id; ids sort by time."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{stamp}.{int(now * 1000) % 1000:03d}Z-{secrets.token_hex(4)}"


def snapshot_ids(shelf: Shelf) -> list[str]:
    """The published snapshots, oldest first."""
    return sorted(entry.name for entry in os.scandir(shelf.snaps) if not entry.name.startswith("."))


def current_id(shelf: Shelf) -> str | None:
    """The snapshot that `current` names; when it is broken, the newest one that has a manifest."""
    link = shelf.folder / "current"
    try:
        target = os.path.basename(os.readlink(link))
        if (shelf.snaps / target / "manifest.json").is_file():
            return target
    except OSError:
        pass
    received = [about["id"] for about in read_abouts(shelf) if not about.get("own")]
    return str(received[-1]) if received else None


def read_abouts(shelf: Shelf) -> list[dict[str, Any]]:
    """about.json of each published snapshot, oldest first; a ruined one is left out."""
    abouts = [read_json(shelf.snaps / one / "about.json") for one in snapshot_ids(shelf)]
    return [about for about in abouts if "id" in about and "time" in about]


def sync_filesystem(folder: Path) -> None:
    """Have everything below `folder` on disk: one call instead of one fsync for each folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise Failed(f"syncfs {folder}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def put_in_place(shelf: Shelf, made: Path, snapshot: str) -> None:
    """Rename a finished folder (tree and manifest) to snaps/<id>, durably."""
    sync_filesystem(made)
    os.rename(made, shelf.snaps / snapshot)
    sync_folder(shelf.snaps)
    sync_folder(shelf.folder)


def set_current(shelf: Shelf, snapshot: str) -> None:
    """Swap `current` by one rename: a reader sees the old one or the new one, never neither.

    Nothing is done when it is right already; a broken one is mended by this as well.
    """
    try:
        if os.readlink(shelf.folder / "current") == f"snaps/{snapshot}":
            return
    except OSError:
        pass
    beside = shelf.folder / ".current.new"
    beside.unlink(missing_ok=True)
    os.symlink(f"snaps/{snapshot}", beside)
    os.rename(beside, shelf.folder / "current")
    sync_folder(shelf.folder)


def discard(shelf: Shelf, folder: Path) -> None:
    """Remove a folder by way of .trash, so that a crash leaves no half of it under its name."""
    if os.path.lexists(folder):
        os.rename(folder, shelf.trash / f"{folder.name.lstrip('.')}-{secrets.token_hex(4)}")
    empty_trash(shelf)


def empty_trash(shelf: Shelf) -> None:
    """Delete what was thrown away, also by an earlier run that was killed."""
    for entry in os.scandir(shelf.trash):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            continue
        for folder, _, _ in os.walk(entry.path):
            os.chmod(folder, 0o700)  # a backed up folder may be one that nobody may write
        shutil.rmtree(entry.path, ignore_errors=True)


def read_json(file: Path) -> dict[str, Any]:
    """One JSON object; {} when the file is missing or ruined: it is made again then."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_applied(shelf: Shelf) -> dict[str, Any]:
    """Peer -> {"snapshot", "epoch", "own", "time"}: what this node last took in from it."""
    return read_json(shelf.folder / "applied.json")
