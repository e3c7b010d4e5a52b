"""A snapshot's documents, made again from what is left: each of the two has the same root hash."""

from __future__ import annotations

import os
from pathlib import Path

from .durable import sync_folder
from .errors import Failed
from .holdings import complaint
from .manifest import read_manifest, root_hash, take_files, write_about, write_manifest
from .replace import Workshop
from .shelf import Shelf, lock, read_json


def heal_paper(shelf: Shelf, snapshot: str, work: Workshop) -> str:
    """ "good" when both documents are, or there is no such snapshot any more; "healed"; or "bad".

    about.json comes from the manifest; a manifest from about.json and the files themselves, when
    all of them together have the root hash that about.json names.
    """
    folder = shelf.snaps / snapshot
    if not folder.is_dir():
        return "good"
    about = read_json(folder / "about.json")
    try:
        document = read_manifest(folder / "manifest.json")
        right = not complaint(document)
    except Failed:
        document, right = {}, False
    if right and about.get("root") == document["root"]:
        return "good"
    if right:
        # A snapshot of this node's own memory, or one that was fetched, is never `current`.
        own = document.get("own") or about.get("own")
        write_about(work.folder, {**document, **({"own": True} if own else {})})
        return _put(shelf, folder, work.folder / "about.json")
    try:
        files = take_files(folder / "tree")
    except OSError:
        return "bad"
    if not about or root_hash(files) != about.get("root"):
        return "bad"
    kept = {key: value for key, value in about.items() if key != "bytes"}
    write_manifest(work.folder / "manifest.json", {**kept, "skipped": [], "files": files})
    return _put(shelf, folder, work.folder / "manifest.json")


def _put(shelf: Shelf, folder: Path, made: Path) -> str:
    with lock(shelf):
        if folder.is_dir():
            os.rename(made, folder / made.name)
            sync_folder(folder)
    return "healed"
