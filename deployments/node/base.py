"""The snapshot that a pulled tree would replace, and what of it need not be read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .linked import inodes_of
from .manifest import Files, read_manifest
from .shelf import Shelf, current_id


class Base(NamedTuple):
    """Its id and manifest, and the inodes of its tree.

    `is_still`: since .incoming was made equal to it nothing was done to any of its files: what was
    pulled came as other files. Then a file of the same inode has the same mode and time, too.
    """

    snapshot: str | None
    document: dict[str, Any]
    inodes: dict[str, int]
    is_still: bool = False

    @property
    def files(self) -> Files:
        files: Files = self.document["files"]
        return files


def read_base(shelf: Shelf) -> Base:
    """The newest snapshot; without files when there is none. Raises Failed when it is ruined.

    Memory is small and is hashed whole each time, which finds rot as well: no file of it is known.
    """
    snapshot = current_id(shelf)
    if snapshot is None:
        return Base(None, {"files": {}}, {})
    document = read_manifest(shelf.snaps / snapshot / "manifest.json")
    inodes = {} if shelf.store == "memory" else inodes_of(base_tree(shelf, snapshot))
    return Base(snapshot, document, inodes)


def base_tree(shelf: Shelf, snapshot: str | None) -> Path:
    """Where its files are."""
    return shelf.snaps / str(snapshot) / "tree"
