"""What a snapshot holds: path -> hash, size, time, mode; and one root hash over all of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import Failed
from .linked import differing_inodes, inodes_of, scan

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
    tree: Path,
    known: Mapping[str, Entry] | None = None,
    inodes: Mapping[str, int] | None = None,
) -> Files:
    """Hash everything below `tree`.

    With the files of an earlier manifest and the inodes of its tree, a file that is the very same
    inode there is not read again: a hard link cannot differ, and rot in it is found by the scrub.
    """
    files: Files = {}
    known, inodes = known or {}, inodes or {}
    for path, entry in scan(tree):
        if not path.endswith("/"):
            old = known.get(path) if inodes.get(path) == entry.inode() else None
            _take(files, tree, path, entry.stat(follow_symlinks=False), old)
    return files


def take_changed(tree: Path, known: Files, inodes: Mapping[str, int]) -> Files:
    """As `take_files`, of a tree in which every file that is the same inode was left alone: not
    even its mode and time can have changed.
    """
    now, files = inodes_of(tree), dict(known)
    for path in differing_inodes(now, inodes).union(known.keys() ^ now.keys()):
        files.pop(path, None)
        if path in now and not path.endswith("/"):
            _take(files, tree, path, os.lstat(tree / path), None)
    return files


def _take(files: Files, tree: Path, path: str, status: os.stat_result, old: Entry | None) -> None:
    """Add one path, if it is a file or a link; with its `old` entry the file is not read."""
    if stat.S_ISLNK(status.st_mode):
        files[path] = {"link": os.readlink(tree / path)}
    elif stat.S_ISREG(status.st_mode):
        digest = str(old["sha256"]) if old and "sha256" in old else hash_file(tree / path)
        files[path] = make_entry(digest, status)


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


def files_text(files: Mapping[str, Entry]) -> str:
    """The end of a manifest: the same text is the same files, in whatever manifest it is."""
    return ', "files": ' + json.dumps(files, sort_keys=True) + "}"


def write_manifest(
    file: Path, document: Mapping[str, Any], text: str = "", is_durable: bool = True
) -> None:
    """Write it and have it on disk before returning, unless all of its folder will be synced.

    `text`: its files', when that was made already.
    """
    others = {key: value for key, value in document.items() if key != "files"}
    _write(file, json.dumps(others)[:-1] + (text or files_text(document["files"])), is_durable)


def write_about(snapshot: Path, document: Mapping[str, Any]) -> None:
    """Write about.json beside the manifest: all but the files, for lists and retention."""
    about = {key: value for key, value in document.items() if key not in ("files", "skipped")}
    about.update(files=len(document["files"]), bytes=size_of(document["files"]))
    _write(snapshot / "about.json", json.dumps(about), is_durable=True)


def _write(file: Path, text: str, is_durable: bool) -> None:
    with open(file, "w", encoding="ascii") as stream:
        stream.write(text)
        if is_durable:
            stream.flush()
            os.fsync(stream.fileno())


def read_manifest(file: Path) -> dict[str, Any]:
    """Raises Failed when it is missing or is no manifest."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise Failed(f"manifest {file} cannot be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("files"), dict):
        raise Failed(f"{file} is no manifest")
    return document


def compare_manifest(file: Path, files: Files, text: str) -> tuple[list[str], dict[str, Any]]:
    """(paths whose content is not as another manifest says, that manifest without its files).

    `text`: that of `files`. Raises Failed as `read_manifest`.
    """
    written = file.read_text("ascii", "replace")
    if written.endswith(text):
        with contextlib.suppress(ValueError):
            return [], json.loads(written.removesuffix(text) + "}")
    document = read_manifest(file)
    return differing(files, document.pop("files")), document


def verify(snapshot: Path) -> list[str]:
    """Hash a snapshot again; the paths that are not what its manifest says."""
    document = read_manifest(snapshot / "manifest.json")
    wrong = differing(take_files(snapshot / "tree"), document["files"])
    if root_hash(document["files"]) != document.get("root"):
        wrong.append("manifest.json")
    return wrong
