"""Where a content lies in the snapshots of a store, and whether it is what was published."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .errors import Failed
from .manifest import CHUNK, Entry, read_manifest, root_hash
from .rotten import Fault, make_fault
from .shelf import Shelf, read_json, snapshot_ids

LONGEST_REST_SECONDS = 1.0


class Place(NamedTuple):
    """One path of one snapshot, with its line in the manifest."""

    snapshot: str
    path: str
    entry: Entry

    def file(self, shelf: Shelf) -> Path:
        return shelf.snaps / self.snapshot / "tree" / self.path


class Group(NamedTuple):
    """Places that are one inode, or one path that is missing in all of them."""

    places: list[Place]
    why: str
    status: os.stat_result | None


@dataclass
class Finding:
    """What was read of one content: the groups that are not it, and a file that is."""

    bad: list[Group] = field(default_factory=list)
    good: Path | None = None
    files: int = 0
    bytes: int = 0


@dataclass
class Holdings:
    """Contents by their hash, and the documents that cannot be relied on."""

    places: dict[str, list[Place]] = field(default_factory=dict)
    documents: list[Fault] = field(default_factory=list)


def find_places(shelf: Shelf, wanted: Callable[[str], bool]) -> Holdings:
    """Every place of each wanted sha256, oldest snapshot first.

    A snapshot whose manifest does not agree with its own root hash is named, and nothing of it is
    listed: neither what it says of a file nor where one should be can be relied on.
    """
    found = Holdings()
    for snapshot in snapshot_ids(shelf):
        folder = shelf.snaps / snapshot
        try:
            document = read_manifest(folder / "manifest.json")
            why = complaint(document)
        except Failed as error:
            document, why = {"files": {}}, error.message
        if not folder.is_dir():
            continue  # pruned meanwhile
        if why:
            fault = make_fault("manifest", "manifest.json", "", [snapshot], why)
            found.documents.append(fault)
            continue
        if read_json(folder / "about.json").get("root") != document["root"]:
            why = "is missing or is not about this manifest"
            found.documents.append(make_fault("about", "about.json", "", [snapshot], why))
        for path, entry in document["files"].items():
            digest = entry.get("sha256")
            if digest and wanted(digest):
                found.places.setdefault(digest, []).append(Place(snapshot, path, entry))
    return found


def complaint(document: Entry) -> str:
    """What is wrong with a manifest in itself; "" for nothing."""
    try:
        right = root_hash(document["files"]) == document.get("root")
    except (TypeError, KeyError, AttributeError):
        return "is no manifest of files"
    return "" if right else "does not agree with its own root hash"


def examine(shelf: Shelf, digest: str, places: list[Place], gently: bool = False) -> Finding:
    """Read every inode of these places once; what was pruned meanwhile is no fault."""
    groups: dict[tuple[object, ...], list[Place]] = {}
    states: dict[tuple[object, ...], os.stat_result | None] = {}
    for place in places:
        status = _lstat(place.file(shelf))
        if status and stat.S_ISREG(status.st_mode):
            key: tuple[object, ...] = (status.st_dev, status.st_ino)
        else:
            key = (place.path, place.entry.get("mtime"), place.entry.get("mode"))
        groups.setdefault(key, []).append(place)
        states[key] = status
    finding = Finding()
    for key, group in groups.items():
        status = states[key]
        file, why, left = _read_group(shelf, group, status, digest, gently)
        finding.files += 1
        finding.bytes += status.st_size if status else 0
        if not why:
            finding.good = finding.good or file
        elif left:
            finding.bad.append(Group(left, why, status))
    return finding


def _read_group(
    shelf: Shelf, group: list[Place], status: os.stat_result | None, digest: str, gently: bool
) -> tuple[Path, str, list[Place]]:
    """The path by which it was read, what is wrong with it, and the places that still are."""
    while True:
        file = group[-1].file(shelf)
        why = _why_bad(file, status, digest, gently)
        left = [place for place in group if _is_published(shelf, place.snapshot)]
        if not why or not left or len(left) == len(group):
            return file, why, left
        group = left  # one was pruned under the reader: by another one


def _why_bad(file: Path, status: os.stat_result | None, digest: str, gently: bool) -> str:
    if status is None:
        return "is missing"
    if not stat.S_ISREG(status.st_mode):
        return "is no plain file"
    try:
        return "" if hash_on_disk(file, gently) == digest else "is not what was published"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def hash_on_disk(file: Path, gently: bool = False) -> str:
    """sha256 as the disk has it: what the page cache holds of the file is given up first.

    `gently` leaves half of the time to others: a gateway and a voter write to the same disk.
    Raises OSError when it cannot be read, or is a link.
    """
    digest = hashlib.sha256()
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(file, flags), "rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        begun = time.monotonic()
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            if gently:
                time.sleep(min(LONGEST_REST_SECONDS, time.monotonic() - begun))
                begun = time.monotonic()
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.hexdigest()


def as_faults(digest: str, finding: Finding) -> list[Fault]:
    """One fault a path, with the snapshots in which it is bad."""
    snapshots: dict[str, list[str]] = {}
    said: dict[str, tuple[str, int]] = {}
    for group in finding.bad:
        for place in group.places:
            snapshots.setdefault(place.path, []).append(place.snapshot)
            said[place.path] = group.why, int(place.entry["size"])
    return [make_fault("file", path, digest, ids, *said[path]) for path, ids in snapshots.items()]


def _lstat(file: Path) -> os.stat_result | None:
    try:
        return os.lstat(file)
    except OSError:
        return None


def _is_published(shelf: Shelf, snapshot: str) -> bool:
    return (shelf.snaps / snapshot / "manifest.json").is_file()
