"""A pulled tree beside the snapshot that it would replace: judged, and published or refused."""

from __future__ import annotations

import os
import time
from typing import Any

from .base import Base, base_tree
from .config import NodeConfig
from .durable import write_json
from .errors import Failed, Refused
from .farm import PEER_MANIFEST, PULLED, ensure_farm, require_sound, unmark
from .linked import take_away
from .manifest import (
    Files,
    compare_manifest,
    differing,
    files_text,
    hash_file,
    identity,
    root_hash,
    size_of,
    take_changed,
    take_files,
    write_about,
    write_manifest,
)
from .memory import SETTINGS, patterns_of
from .pull_order import Order
from .refuse import Limits, Verdict, judge
from .rejected import REFUSED, reject
from .shelf import (
    VERIFIED,
    Shelf,
    make_id,
    put_in_place,
    read_json,
    set_current,
)
from .unchanged import UNCHANGED
from .validate import check_tree

KNOWN_BAD = "known-bad.json"


def stamp(shelf: Shelf, snapshot: str, order: Order) -> None:
    """The content of this snapshot was seen at the source and verified now."""
    seen = {"id": snapshot, "time": time.time(), "origin": order.origin, "epoch": order.epoch}
    write_json(shelf.folder / VERIFIED, seen)


def refresh(shelf: Shelf, snapshot: str, order: Order) -> None:
    """The current snapshot is what its source has now: only its age is new.

    One pull refreshes it once: what is published again must be looked at again.
    """
    (shelf.incoming / PULLED).unlink()
    set_current(shelf, snapshot)
    stamp(shelf, snapshot, order)


class Draft:
    """The pulled tree beside the snapshot that it would replace."""

    def __init__(self, config: NodeConfig, shelf: Shelf, order: Order, base: Base) -> None:
        self.shelf, self.order = shelf, order
        self.origin, self.epoch = order.origin, order.epoch
        self.memory = shelf.store == "memory"
        self.parent, self.base = base.snapshot, base.document
        self.known_bad: list[str] = read_json(shelf.folder / KNOWN_BAD).get("paths", [])
        patterns = patterns_of(config)
        self.required = tuple(one for one in patterns if not set(one) & set("!*/"))
        take = take_changed if base.is_still else take_files
        self.files = take(shelf.tree, base.files, base.inodes)
        if self.memory and self.parent:
            require_sound(shelf, self.parent, base.files, self.files)
        settings = shelf.incoming / SETTINGS
        self.settings = hash_file(settings) if settings.is_file() else None
        self.bad: dict[str, str] = {}
        if self.memory:
            problems = check_tree(shelf.tree, config.required_fields)
            self.bad = {path: str(problem) for path, problem in problems.items()}

    def publish(self, accept: str, pulled: dict[str, Any]) -> dict[str, Any]:
        """Judge, then publish or refuse."""
        text = files_text(self.files)
        wrong = self._compare_with_peer(text, pulled.get("state", ""))
        snapshot = make_id(time.time())
        verdict = self._judge()
        reasons = [*_peer_reasons(wrong), *verdict.reasons]
        if reasons and not accept:
            self._refuse(snapshot, reasons, wrong)
        held = {path: why for path, why in verdict.held.items() if self._can_hold(path)}
        held = {} if accept else held
        for path in held:
            self._hold(path)
        bad = {path: why for path, why in self.bad.items() if path not in held}
        root = root_hash(self.files)
        result = {"held": held, "bad": bad, "files": len(self.files)}
        result["bytes"] = size_of(self.files)
        if self._is_unchanged(root):
            refresh(self.shelf, str(self.parent), self.order)
            self._forget_mended()
            return {**result, "id": self.parent, "unchanged": True}
        document = {
            "tier": self.order.tier,
            "skipped": pulled.get("skipped", []),
            "id": snapshot,
            "parent": self.parent,
            "origin": self.origin,
            "epoch": self.epoch,
            "time": time.time(),
            "root": root,
            "settings": self.settings,
            "files": self.files,
            "held": dict(held),
            "bad": bad,
            "accepted": {"reason": accept, "instead_of": reasons} if reasons else None,
        }
        text = files_text(self.files) if held else text
        write_manifest(self.shelf.incoming / "manifest.json", document, text, is_durable=False)
        write_about(self.shelf.incoming, document)
        for name in (PULLED, PEER_MANIFEST, REFUSED, UNCHANGED):
            (self.shelf.incoming / name).unlink(missing_ok=True)
        put_in_place(self.shelf, self.shelf.incoming, snapshot)
        set_current(self.shelf, snapshot)
        stamp(self.shelf, snapshot, self.order)
        self._forget_mended()
        return {**result, "id": snapshot, "unchanged": False}

    def _judge(self) -> Verdict:
        return judge(
            base=self.base["files"],
            new=self.files,
            bad=self.bad,
            base_bad=self.base.get("bad", {}),
            known_bad=self.known_bad,
            grown=self._grown(),
            limits=Limits(memory=self.memory, required=self.required if self.memory else ()),
        )

    def _grown(self) -> set[str]:
        """Changed files whose old content is the beginning of the new one: no rewrite."""
        changed = differing(self.base["files"], self.files) if self.memory else []
        return {path for path in changed if self._begins_as_before(path)}

    def _begins_as_before(self, path: str) -> bool:
        old, new = self.base["files"].get(path), self.files.get(path)
        if not old or not new or new["size"] < old["size"]:
            return False
        return hash_file(self.shelf.tree / path, limit=old["size"]) == str(old["sha256"])

    def _compare_with_peer(self, text: str, state: str) -> list[str]:
        """The paths that are not what the peer's manifest says, if one came.

        Raises Failed when it is of another staged copy than the pull was told of, which may then
        be of two.
        """
        file = self.shelf.incoming / PEER_MANIFEST
        if not file.exists():
            return []
        wrong, manifest = compare_manifest(file, self.files, text)
        if state and manifest.get("state") != state:
            unmark(self.shelf)
            raise Failed(f"{self.shelf.store}: it was staged anew during the pull", "pull it again")
        return wrong

    def _refuse(self, snapshot: str, reasons: list[str], wrong: list[str]) -> None:
        reject(self.shelf, snapshot, {"reasons": reasons, **self.order._asdict()})
        # The next run may go on without these files: they are held at their last good version.
        write_json(self.shelf.folder / KNOWN_BAD, {"paths": sorted(self.bad)})
        ensure_farm(self.shelf)
        # Of the same size and time they would be taken for the peer's again, and refused for good.
        take_away(self.shelf.tree, wrong)
        raise Refused(
            f"{self.shelf.store}: refused as {snapshot}: " + "; ".join(reasons),
            f"the last good snapshot stays; to take it all the same: accept {snapshot}",
        )

    def _can_hold(self, path: str) -> bool:
        """Whether the last good version has not rotted meanwhile."""
        was = identity(self.base["files"].get(path))
        try:
            return hash_file(base_tree(self.shelf, self.parent) / path) == was
        except OSError:
            return False

    def _hold(self, path: str) -> None:
        """Put the last good version back: a hard link, as in the farm."""
        os.unlink(self.shelf.tree / path)
        os.link(base_tree(self.shelf, self.parent) / path, self.shelf.tree / path)
        self.files[path] = self.base["files"][path]

    def _is_unchanged(self, root: str) -> bool:
        if not self.parent or self.base.get("origin") != self.origin:
            return False
        if self.memory and self.base.get("epoch") != self.epoch:
            return False  # what is applied next must carry the epoch under which it was written
        old: Files = self.base["files"]
        if root != self.base.get("root"):
            return False
        if self.settings != self.base.get("settings"):
            return False
        return self.memory or all(
            entry.get(key) == old[path].get(key)
            for path, entry in self.files.items()
            for key in ("mtime", "mode")
        )

    def _forget_mended(self) -> None:
        still = [path for path in self.known_bad if path in self.bad]
        if still != self.known_bad:  # what was mended is refused again when it is ruined again
            write_json(self.shelf.folder / KNOWN_BAD, {"paths": still})


def _peer_reasons(wrong: list[str]) -> list[str]:
    """What came must be what the peer's manifest says; else it rotted there or on the way."""
    if not wrong:
        return []
    names = ", ".join(wrong[:5]) + (" ..." if len(wrong) > 5 else "")
    return [f"{len(wrong)} files are not what the peer's manifest says: {names}"]
