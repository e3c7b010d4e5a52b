"""`store scrub`: read a share of a store again, and name what is not as it was published."""

from __future__ import annotations

import os
import stat
import time
import zlib
from typing import Any

from . import params as p
from .config import NodeConfig
from .durable import write_json
from .errors import BadInput, Failed, Refused
from .farm import quarantine
from .holdings import Holdings, as_faults, complaint, examine, find_places
from .manifest import read_manifest, walk
from .rotten import LISTED, Fault, make_fault, note, read_rotten
from .shelf import Shelf, lock, open_shelf, read_json, snapshot_ids

PROGRESS = "scrub.json"
SCRUB_LOCK = ".scrub.lock"
MOST_SHARES = 1000
SAVE_SECONDS = 5.0
QUIET_SECONDS = 30.0


def store_scrub(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "of": 1..1000, "part"?: 0..of-1, "deadline_seconds"?: 1..21600 (60)} ->
    {"part", "of", "done": bool, "progress": 0..1 of this share, "files", "bytes", "rotten":
    [{"kind", "path", "sha256", "size", "snapshots": [id], "why", "since"}], "count": int,
    "seconds"}.

    Reads the share `part` of all contents, each inode once, from the disk and not from the cache.
    Without `part` it goes on where the last run ended, also one that was killed; a share that is
    done (`done`) is followed by the next one. At least one file is read, then the deadline holds.
    `rotten` is all that is known of this store, at most 500; no future snapshot inherits it.
    Raises Refused when another run scrubs or heals this store.
    """
    of, started = p.integer(params, "of"), time.monotonic()
    seconds = p.seconds(params, "deadline_seconds", 60, 21600)
    if not 1 <= of <= MOST_SHARES:
        raise BadInput(f'"of" must be between 1 and {MOST_SHARES}, not {of}')
    shelf = open_shelf(config, p.store(params))
    with lock(shelf, name=SCRUB_LOCK):
        result = Reading(shelf, of, params).run(started + seconds)
        known = read_rotten(shelf)
        if known:
            _keep_from_the_future(shelf)
    return {
        **result,
        "rotten": known[:LISTED],
        "count": len(known),
        "seconds": round(time.monotonic() - started, 3),
    }


def _keep_from_the_future(shelf: Shelf) -> None:
    try:
        quarantine(shelf, QUIET_SECONDS)
    except Refused:  # a long pull: the next call does it, and a heal does not begin before
        return


def share_of(digest: str, of: int) -> int:
    """The share that a sha256 belongs to, however many others there are."""
    return int(digest[:12], 16) % of


class Reading:
    """One call: where it begins, and how far it came."""

    def __init__(self, shelf: Shelf, of: int, params: dict[str, Any]) -> None:
        self.shelf, self.of = shelf, of
        saved = read_json(shelf.folder / PROGRESS)
        known = saved if saved.get("of") == of else {}
        self.part = int(known.get("part", 0))
        self.after = str(known.get("after", ""))
        if params.get("part") is not None and p.integer(params, "part") != self.part:
            self.part, self.after = p.integer(params, "part"), ""
        if self.part >= of:
            raise BadInput(f'"part" must be below "of" = {of}, not {self.part}')
        self.saved = time.monotonic()
        self.found: list[Fault] = []

    def run(self, deadline: float) -> dict[str, Any]:
        """Read on until the share is done or the deadline has passed."""
        holdings = find_places(self.shelf, lambda digest: share_of(digest, self.of) == self.part)
        note(self.shelf, holdings.documents)
        if not self.after:
            self._look_at_trees()
        contents = sorted(holdings.places)
        todo = [digest for digest in contents if digest > self.after]
        files = size = 0
        while todo and (not files or time.monotonic() < deadline):
            finding = examine(self.shelf, todo[0], holdings.places[todo[0]], gently=True)
            files, size = files + finding.files, size + finding.bytes
            self.found += as_faults(todo[0], finding)
            self._save(todo.pop(0))
        left = _size(holdings, todo)
        whole = max(1, _size(holdings, contents))
        result = {"part": self.part, "of": self.of, "done": not todo, "files": files, "bytes": size}
        if not todo:
            self.part, self.after = (self.part + 1) % self.of, ""
        self._write()
        return {**result, "progress": round(1 - left / whole, 4) if todo else 1.0}

    def _look_at_trees(self) -> None:
        """Links, and what is there and should not be, of this share's snapshots."""
        for snapshot in snapshot_ids(self.shelf):
            if zlib.crc32(snapshot.encode()) % self.of == self.part:
                note(self.shelf, tree_faults(self.shelf, snapshot))

    def _save(self, done: str) -> None:
        self.after = done
        if time.monotonic() - self.saved >= SAVE_SECONDS:
            self._write()

    def _write(self) -> None:
        if self.found:
            note(self.shelf, self.found)  # before it says that this was read
            self.found = []
        state = {"of": self.of, "part": self.part, "after": self.after}
        write_json(self.shelf.folder / PROGRESS, state)
        self.saved = time.monotonic()


def _size(holdings: Holdings, contents: list[str]) -> int:
    """Bytes of these contents, and one for each, so that empty files are progress, too."""
    return sum(1 + int(holdings.places[one][0].entry.get("size", 0)) for one in contents)


def tree_faults(shelf: Shelf, snapshot: str) -> list[Fault]:
    """The symlinks of a snapshot that are not as published, and files that its manifest lacks."""
    folder = shelf.snaps / snapshot
    try:
        document = read_manifest(folder / "manifest.json")
        found = dict(walk(folder / "tree"))
    except (Failed, OSError):
        return []  # pruned meanwhile, or its manifest is what is named
    if complaint(document):
        return []
    files = document["files"]
    faults = []
    for path, entry in files.items():
        if "link" in entry and _target(folder / "tree" / path) != entry["link"]:
            why = "is missing" if path not in found else "is not the link that was published"
            faults.append(make_fault("link", path, "", [snapshot], why))
    for path, status in found.items():
        plain = stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
        if plain and path not in files:
            faults.append(make_fault("extra", path, "", [snapshot], "was not published"))
    return faults if (folder / "manifest.json").is_file() else []


def _target(file: os.PathLike[str]) -> str:
    try:
        return os.readlink(file)
    except OSError:
        return ""
