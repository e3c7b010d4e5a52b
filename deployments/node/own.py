"""This node's own memory, as it is in the live workspaces, and the snapshot that preserves it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .errors import Refused
from .live import InTheWay, Workspace
from .manifest import Entry, Files, identity, make_entry, root_hash, write_about, write_manifest
from .memory import find_memory, patterns_of, workspace_of, workspaces
from .pins import DAY_SECONDS, PIN_DAYS, pin
from .shelf import Shelf, discard, make_id, put_in_place


class Own:
    """The live workspaces: `hashes` of their memory files by <agent>/<path>.

    `refused` are paths that are never touched, with the reason: symlinks, special files, what
    cannot be read, and whatever lies below them.
    """

    def __init__(self, config: NodeConfig, agents: Iterable[str]) -> None:
        self.patterns = patterns_of(config)
        self.places: dict[str, Workspace] = {}
        self.hashes: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        for agent in sorted({*workspaces(config), *agents}):
            self.places[agent] = Workspace(workspace_of(config, agent))
            self._list(agent)

    def _list(self, agent: str) -> None:
        place = self.places[agent]
        files, refused = find_memory(place.root, self.patterns)
        for inside in refused:
            self.refused[f"{agent}/{inside}"] = "is a symlink or a special file"
        place.remove_leftovers({os.path.dirname(inside) for inside in files} | {"", "memory"})
        for inside in files:
            try:
                digest = place.hash(inside)
            except InTheWay as error:
                self.refused[f"{agent}/{inside}"] = str(error)
                continue
            if digest:
                self.hashes[f"{agent}/{inside}"] = digest

    def close(self) -> None:
        for place in self.places.values():
            place.close()

    def at(self, path: str) -> tuple[Workspace, str]:
        """<agent>/<path> -> the workspace and the path inside."""
        agent, _, inside = path.partition("/")
        return self.places[agent], inside

    def read(self, path: str) -> bytes:
        """A live file; raises Refused when it is not what was listed."""
        place, inside = self.at(path)
        data = place.read(inside)
        if hashlib.sha256(data).hexdigest() != self.hashes[path]:
            raise Refused(f"{path} was changed while memory was being applied")
        return data

    def allowed(self, files: Mapping[str, Entry]) -> Files:
        """Those of a snapshot's files that may be written here; the others become `refused`."""
        good: Files = {}
        for path, entry in files.items():
            agent, _, inside = path.partition("/")
            above = [f"{agent}/{inside[:at]}" for at, one in enumerate(inside) if one == "/"]
            hindrance = next((one for one in [path, *above] if one in self.refused), None)
            if hindrance is None:
                good[path] = entry
            else:
                self.refused[path] = self.refused[hindrance]
        return good

    def count(self) -> tuple[int, int]:
        """Files and bytes of all memory that is live now."""
        sizes = [
            status.st_size
            for place in self.places.values()
            for status in find_memory(place.root, self.patterns)[0].values()
        ]
        return len(sizes), sum(sizes)


def snapshot_own(
    shelf: Shelf,
    name: str,
    own: Own,
    common: Mapping[str, Files],
    epoch: int,
    last: Mapping[str, Any],
) -> tuple[str | None, str]:
    """Preserve what only this node has; (id of the snapshot or None, root hash of that content).

    `common`: snapshot id -> files, of base and theirs: what is in one of them needs no copy. When
    the same content was preserved before (`last`), that snapshot is the answer. All three are
    pinned for 30 days: a whole wrong merge can be undone. It is never made `current`.
    """
    extra = {
        path: {"sha256": digest}
        for path, digest in own.hashes.items()
        if not any(identity(files.get(path)) == digest for files in common.values())
    }
    content = root_hash(extra)
    if not extra:
        return None, content
    known = str(last.get("own"))
    if last.get("own_content") == content and (shelf.snaps / known).is_dir():
        return known, content
    snapshot = make_id(time.time())
    beside = shelf.folder / ".own.new"
    discard(shelf, beside)
    (beside / "tree").mkdir(parents=True, mode=0o700)
    files = {path: _preserve(shelf, own, path, beside / "tree", common) for path in own.hashes}
    document = {
        "id": snapshot,
        "parent": None,
        "origin": name,
        "tier": "memory",
        "epoch": epoch,
        "time": time.time(),
        "root": root_hash(files),
        "files": files,
        "own": True,
    }
    write_manifest(beside / "manifest.json", document)
    write_about(beside, document)
    put_in_place(shelf, beside, snapshot)
    until = time.time() + PIN_DAYS * DAY_SECONDS
    pin(shelf, f"own-{epoch}-{snapshot}", snapshot, until)
    for one in common:
        pin(shelf, f"with-{epoch}-{one}", one, until)
    return snapshot, content


def _preserve(shelf: Shelf, own: Own, path: str, tree: Path, common: Mapping[str, Files]) -> Entry:
    """One file of the own snapshot: a link to an equal one in the store, else a copy."""
    target = tree / path
    target.parent.mkdir(parents=True, exist_ok=True)
    for snapshot, files in common.items():
        if identity(files.get(path)) == own.hashes[path]:
            os.link(shelf.snaps / snapshot / "tree" / path, target)
            return files[path]
    target.write_bytes(own.read(path))
    return make_entry(own.hashes[path], os.lstat(target))
