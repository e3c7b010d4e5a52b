"""What a snapshot holds: path -> hash, size, time, mode; and one root hash over all of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import Failed
from .linked import inodes_of, scan

# {"sha256", "size" (bytes), "mtime" (ns), "mode"} for a file, {"link": target} for a symlink.
Entry = dict[str, Any]
Files = dict[str, Entry]

MANIFEST = "manifest.json"
CHUNK = 1 << 20


def walk(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Path from `tree` and lstat of everything below it that is no folder, in sorted order."""
    for path, entry in scan(tree):
        if not path.endswith("/"):
            yield path, entry.stat(follow_symlinks=False)


def hash_file(path: str | os.PathLike[str], limit: int | None = None) -> str:
    """sha256 of a file (of its first `limit` bytes); a symlink is not followed but an OSError."""
    digest = hashlib.sha256()
    left = limit
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        while left is None or left > 0:
            chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
            if not chunk:
                break
            digest.update(chunk)
            left = None if left is None else left - len(chunk)
    return digest.hexdigest()


def take_files(
    tree: Path, known: Mapping[str, Entry] | None = None, known_tree: Path | None = None
) -> Files:
    """Hash everything below `tree`.

    With the files of an earlier manifest and its tree, a file that is the very same inode there is
    not read again: a hard link cannot differ, and rot in it is found by the scrub.
    """
    files: Files = {}
    links = inodes_of(known_tree) if known and known_tree else {}
    for path, status in walk(tree):
        if stat.S_ISLNK(status.st_mode):
            files[path] = {"link": os.readlink(tree / path)}
        elif stat.S_ISREG(status.st_mode):
            old = known.get(path) if known and links.get(path) == status.st_ino else None
            digest = str(old["sha256"]) if old and "sha256" in old else hash_file(tree / path)
            files[path] = make_entry(digest, status)
    return files


def make_entry(digest: str, status: os.stat_result) -> Entry:
    """One file's line in a manifest."""
    return {
        "sha256": digest,
        "size": status.st_size,
        "mtime": status.st_mtime_ns,
        "mode": stat.S_IMODE(status.st_mode),
    }


def identity(entry: Entry | None) -> str:
    """What makes two versions of a path the same; "" for none."""
    if entry is None:
        return ""
    return str(entry["sha256"]) if "sha256" in entry else "->" + str(entry["link"])


def root_hash(files: Mapping[str, Entry]) -> str:
    """One hash over every path and content; times and modes are no part of it."""
    lines = (f"{path}\0{identity(files[path])}\0" for path in sorted(files))
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


def size_of(files: Mapping[str, Entry]) -> int:
    """Bytes of all files."""
    return sum(int(entry.get("size", 0)) for entry in files.values())


def differing(files: Mapping[str, Entry], others: Mapping[str, Entry]) -> list[str]:
    """Paths whose content is not the same in both, sorted."""
    other = [path for path, entry in files.items() if entry != others.get(path)]
    other += others.keys() - files.keys()
    return sorted(path for path in other if identity(files.get(path)) != identity(others.get(path)))


def write_manifest(file: Path, document: Mapping[str, Any], is_durable: bool = True) -> None:
    """Write it and have it on disk before returning, unless all of its folder will be synced."""
    with open(file, "w", encoding="ascii") as stream:
        stream.write(json.dumps(document, sort_keys=True))  # json.dump takes ten times as long
        if is_durable:
            stream.flush()
            os.fsync(stream.fileno())


def write_about(snapshot: Path, document: Mapping[str, Any]) -> None:
    """Write about.json beside the manifest: all but the files, for lists and retention."""
    about = {key: value for key, value in document.items() if key not in ("files", "skipped")}
    about.update(files=len(document["files"]), bytes=size_of(document["files"]))
    write_manifest(snapshot / "about.json", about)


def read_manifest(file: Path) -> dict[str, Any]:
    """Raises Failed when it is missing or is no manifest."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise Failed(f"manifest {file} cannot be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("files"), dict):
        raise Failed(f"{file} is no manifest")
    return document


def verify(snapshot: Path) -> list[str]:
    """Hash a snapshot again; the paths that are not what its manifest says."""
    document = read_manifest(snapshot / "manifest.json")
    wrong = differing(take_files(snapshot / "tree"), document["files"])
    if root_hash(document["files"]) != document.get("root"):
        wrong.append("manifest.json")
    return wrong
