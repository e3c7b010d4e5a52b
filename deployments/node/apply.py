"""`store apply`: this node takes in the serving node's memory, at each sync and at failback."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

from . import params as p
from .config import NodeConfig
from .durable import locked, write_durably, write_json
from .errors import BadInput, Failed, Refused
from .manifest import Files, identity, read_manifest
from .merge import Names, Plan, Side, merge
from .own import Own, snapshot_own
from .record import load_record
from .shelf import Shelf, lock, open_shelf, read_applied
from .validate import find_problem
from .writing import Writing


def store_apply(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store": "memory", "snapshot": id, "peer": its origin, "base"?: id or null,
    "base_without"?: [path]}
    -> {"taken", "removed", "unchanged", "files", "bytes", "seconds": numbers, "own": id or null,
    "appended": [path], "kept_own": [path], "conflicts": [{"path", "copy"}],
    "refused": [{"path", "why"}]}.

    Merges this node's live memory with a published snapshot that is in this node's store, by the
    table of merge.py, and writes the result into the live workspaces as copies. Without "base" it
    is what this node applied last from that peer (the steady sync); null is "nothing in common".
    After a change of roles give `memory base` of the peer (its "without" as base_without), having
    fetched that snapshot. What only this node has is first put into a snapshot ("own"), pinned
    for 30 days with the other two. A conflict's copy is in memory/recovered; what is no Markdown is
    quoted in a note there, and its bytes are in `conflicts/...` of the store. `refused` paths
    (symlinks, special, unreadable) are not touched. Run again after a crash, it comes to the same
    result.
    Raises Refused when a gateway runs here or this node is the holder, and for a snapshot that is
    not the peer's or is of an older epoch than one that was applied; Failed when the store rotted.
    """
    from . import gateway

    if params.get("store") != "memory":
        raise BadInput("only the memory store is applied")
    shelf, started = open_shelf(config, "memory"), time.monotonic()
    with lock(shelf), locked(config.run / "gateway.lock"):  # no gateway starts meanwhile
        if gateway.is_serving(config):
            raise Refused("a gateway runs here: its memory is the live one")
        result = _Applying(config, shelf, params).run()
    return {**result, "seconds": round(time.monotonic() - started, 3)}


MOST_TAKING = 20


class _Applying:
    """One apply: the snapshot, the base and the live workspaces."""

    def __init__(self, config: NodeConfig, shelf: Shelf, params: dict[str, Any]) -> None:
        self.config, self.shelf = config, shelf
        self.snapshot, self.peer = p.snapshot(params, "snapshot"), p.name(params, "peer")
        self.document = read_manifest(shelf.snapshot(self.snapshot) / "manifest.json")
        self.epoch = int(self.document["epoch"])
        self.applied = read_applied(shelf)
        self._check_order()
        self.last: dict[str, Any] = self.applied.get(self.peer, {})
        self.base = self.last.get("snapshot")
        if "base" in params:
            self.base = p.optional_snapshot(params, "base")
        self.without = set(p.paths(params, "base_without"))
        if self.base == self.last.get("snapshot"):
            self.without.update(self.last.get("without", []))

    def _check_order(self) -> None:
        origin, name = self.document.get("origin"), self.config.name
        if origin != self.peer:
            raise Refused(f"snapshot {self.snapshot} comes from {origin}, not from {self.peer}")
        newest = max((int(one.get("epoch", 0)) for one in self.applied.values()), default=0)
        if self.epoch < newest:
            raise Refused(
                f"snapshot {self.snapshot} is of epoch {self.epoch}; epoch {newest} was applied"
            )
        record = load_record(self.config)
        if record and record.holder == name:
            raise Refused(f"{name} is the holder: memory flows from it, not to it")

    def run(self) -> dict[str, Any]:
        """Preserve what is only here, merge, write, read back, note what was applied."""
        own = Own(self.config, {path.partition("/")[0] for path in self.document["files"]})
        try:
            theirs, base = own.allowed(self.document["files"]), self._base_files(own)
            common = {self.base: base} if self.base else {}
            common[self.snapshot] = theirs
            saved, content = snapshot_own(
                self.shelf, self.config.name, own, common, self.epoch, self.last
            )
            plan = merge(
                self._side(self.base, self._with_taken(own, base)),
                self._side(self.snapshot, theirs),
                Side(own.hashes, own.read),
                Names(self.config.name, self.peer, time.strftime("%Y-%m-%d", time.gmtime())),
                lambda path, data: find_problem(path, data) is not None,
            )
            aside = self._put_aside(plan)
            copies = {path: copy or aside[path] for path, copy in plan.conflicts.items()}
            self._note_begin()
            Writing(own, plan, theirs, self.shelf.snaps / self.snapshot / "tree").run()
            self._note(own, saved, content)
            return _report(own, plan, copies, saved)
        finally:
            own.close()

    def _base_files(self, own: Own) -> Files:
        if not self.base:
            return {}
        files = own.allowed(self._files(self.base))
        return {path: entry for path, entry in files.items() if path not in self.without}

    def _files(self, snapshot: str) -> Files:
        files: Files = read_manifest(self.shelf.snapshot(snapshot) / "manifest.json")["files"]
        return files

    def _with_taken(self, own: Own, base: Files) -> Files:
        """The base, with what a run that was killed had taken already.

        A live file that came from them unchanged is not a change of this node's own.
        """
        result = dict(base)
        for snapshot in self.last.get("taking", []):
            if (self.shelf.snaps / snapshot / "manifest.json").is_file():
                for path, entry in self._files(snapshot).items():
                    if own.hashes.get(path) == identity(entry):
                        result[path] = entry
        return result

    def _note_begin(self) -> None:
        taking = [*self.last.get("taking", [])[-MOST_TAKING:], self.snapshot]
        self.applied[self.peer] = {**self.last, "taking": taking}
        write_json(self.shelf.folder / "applied.json", self.applied)

    def _side(self, snapshot: str | None, files: Files) -> Side:
        def read(path: str) -> bytes:
            data = (self.shelf.snaps / str(snapshot) / "tree" / path).read_bytes()
            if hashlib.sha256(data).hexdigest() != files[path]["sha256"]:
                raise Failed(f"{path} in snapshot {snapshot} is not what its manifest says")
            return data

        return Side({path: identity(entry) for path, entry in files.items()}, read)

    def _put_aside(self, plan: Plan) -> dict[str, str]:
        """Write what cannot stay in the workspace into the store; path -> its file there."""
        copies = {}
        for path, content in plan.aside.items():
            digest = hashlib.sha256(os.fsencode(path) + b"\0" + content).hexdigest()[:16]
            name = os.path.basename(path)[-60:]
            copies[path] = f"conflicts/{self.epoch}-{digest}-{name}"
            write_durably(self.shelf.folder / copies[path], content)
        return copies

    def _note(self, own: Own, saved: str | None, content: str) -> None:
        self.applied[self.peer] = {
            "snapshot": self.snapshot,
            "epoch": self.epoch,
            "own": saved,
            "own_content": content,
            "without": sorted(own.refused),
            "time": time.time(),
        }
        write_json(self.shelf.folder / "applied.json", self.applied)


def _report(own: Own, plan: Plan, copies: Mapping[str, str], saved: str | None) -> dict[str, Any]:
    files, size = own.count()
    return {
        "taken": sum(1 for path in plan.take if path not in own.refused),
        "removed": sum(1 for path in plan.remove if path not in own.refused),
        "unchanged": plan.unchanged,
        "files": files,
        "bytes": size,
        "own": saved,
        "appended": plan.appended,
        "kept_own": plan.kept_own,
        "conflicts": [{"path": path, "copy": copy} for path, copy in sorted(copies.items())],
        "refused": [{"path": path, "why": why} for path, why in sorted(own.refused.items())],
    }
