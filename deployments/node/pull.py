"""`store pull` and `store fetch`: what this machine takes from a peer."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .durable import write_json
from .errors import BadInput, Failed, Refused
from .farm import PULLED, ensure_farm, unmark
from .manifest import read_manifest, verify, write_about
from .memory import SETTINGS, patterns_of
from .patterns import make_filters
from .pins import DAY_SECONDS, pin
from .shelf import Shelf, discard, lock, open_shelf, put_in_place
from .space import Size, require_room
from .transfer import BACKUP, MEMORY, Link, Pass, connection, make_rsync, peer_of, run_rsync
from .unchanged import recall

MAX_PASSES = 5
PEER_MANIFEST = "peer-manifest.json"
PIN_DAYS = 30
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_EXPORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,300}")


def store_pull(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "peer", "parts": {folder in the tree: export path}, "memory"?: bool,
    "check"?: export path of a manifest, "settings"?: bool, "size"?: {"bytes", "files"} of the
    source, "state"?: of a memory, as the peer's `memory list` told it, "deadline_seconds"?:
    1..21600 (240)}
    -> {"files", "bytes", "changed", "passes", "settled", "skipped": [name], "seconds"}.

    Fills .incoming; repeated until a pass changes nothing (at most 5: `settled` is false then). No
    pass is made when the peer's memory is as it was when the newest snapshot was pulled.
    With `check`, `store publish` compares what came with the peer's manifest; with `settings` the
    peer's openclaw.json comes along, beside the tree. `skipped` are links and special files of a
    memory. Raises Refused when there is no file at all (a source that is unmounted or emptied), and
    with `size` when there is no room for what would come; Failed with rsync's words, .incoming is
    kept then and resumed later.
    """
    store, parts, size = p.store(params), _parts(params), _size(params)
    memory = p.flag(params, "memory") or store == "memory"
    seconds = p.seconds(params, "deadline_seconds", 240, 21600)
    check = p.text(params, "check")
    if check and not _EXPORT.fullmatch(check):
        raise BadInput('"check" must be the export path of a manifest')
    peer, name = peer_of(config, p.name(params, "peer")), str(params["peer"])
    shelf, started = open_shelf(config, store), time.monotonic()
    state = _state(config, params, parts) if memory else ""
    with lock(shelf) as descriptor:
        known = recall(shelf, name, state)
        if known:
            same = {"changed": 0, "passes": 0, "settled": True}
            result = {key: known[key] for key in ("files", "bytes", "skipped")} | same
        else:
            with connection(config, peer) as link:
                options = (*MEMORY, *make_filters(patterns_of(config))) if memory else BACKUP
                run = _Run(link, options, started + seconds, descriptor)
                result = _fill(config, shelf, run, parts, size)
                if result["files"] == 0:
                    discard(shelf, shelf.incoming)
                    raise Refused(
                        f"{name} has no file to pull for {store}: is its source there?",
                        "look at the source; the last good snapshot stays",
                    )
                if check:
                    run.file(check, shelf.incoming / PEER_MANIFEST)
                if p.flag(params, "settings"):
                    run.file(f"settings/{SETTINGS}", shelf.incoming / SETTINGS)
                    (shelf.incoming / SETTINGS).chmod(0o600)
        mark = {"peer": name, "state": state if result["settled"] else ""}
        write_json(shelf.incoming / PULLED, {**mark, "skipped": result["skipped"]})
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _state(config: NodeConfig, params: dict[str, Any], parts: Mapping[str, str]) -> str:
    """What the source told of itself, and what this machine takes of it; "" when it told nothing.

    It was asked before the pull: what it wrote since is new at the next one.
    """
    told = p.text(params, "state")
    taken = [told, patterns_of(config), sorted(parts.items()), p.flag(params, "settings")]
    return hashlib.sha256(json.dumps(taken).encode()).hexdigest() if told else ""


def _fill(
    config: NodeConfig, shelf: Shelf, run: _Run, parts: Mapping[str, str], size: Size | None
) -> dict[str, Any]:
    """Bring all parts into .incoming. Raises Refused when there is no room."""
    ensure_farm(shelf)
    unmark(shelf)  # until all has come
    _remove_other_parts(shelf, parts)
    if size:
        require_room(config, shelf.folder, size, lambda: run.measure(shelf, parts))
    return run.until_settled(shelf, parts)


def _size(params: dict[str, Any]) -> Size | None:
    """The source's size, if it was told."""
    told = params.get("size")
    if told is None:
        return None
    if not isinstance(told, dict):
        raise BadInput('"size" must be {"bytes", "files"}')
    return Size(p.integer(told, "bytes"), p.integer(told, "files"))


def _parts(params: dict[str, Any]) -> dict[str, str]:
    parts = params.get("parts")
    if not isinstance(parts, dict) or not parts or ("" in parts and len(parts) > 1):
        raise BadInput('"parts" must name at least one folder, or be {"": export path}')
    for folder, export in parts.items():
        if (folder and not _PART.fullmatch(folder)) or not isinstance(export, str):
            raise BadInput(f'"parts" has a malformed folder {folder!r}'[:200])
        if not _EXPORT.fullmatch(export) or ".." in export:
            raise BadInput(f'"parts" has a malformed export path {export!r}'[:200])
    return parts


def _remove_other_parts(shelf: Shelf, parts: Mapping[str, str]) -> None:
    """An agent that is gone at the source must go from .incoming too; then the guard sees it."""
    for name in (PEER_MANIFEST, SETTINGS):
        (shelf.incoming / name).unlink(missing_ok=True)
    if "" in parts:
        return
    for entry in list(os.scandir(shelf.tree)):
        if entry.name not in parts:
            discard(shelf, Path(entry.path))


class _Run:
    """One pull: the connection, options, deadline and lock that its rsync runs share."""

    def __init__(self, link: Link, options: tuple[str, ...], deadline: float, lock: int) -> None:
        self.link, self.options, self.deadline, self.lock = link, options, deadline, lock

    def _rsync(self, export: str, target: Path, options: tuple[str, ...]) -> Pass:
        left = max(1, int(self.deadline - time.monotonic()))
        argv = make_rsync(self.link, export, target, options, left)
        return run_rsync(argv, self.deadline, self.lock)

    def file(self, export: str, target: Path) -> None:
        """Pull one file."""
        if self._rsync(export, target, ("-t",)).vanished or not target.is_file():
            raise Failed(f"{export} is not there")

    def folder(self, export: str, target: Path) -> Pass:
        """One pass over one export."""
        target.mkdir(parents=True, exist_ok=True)
        return self._rsync(export.rstrip("/") + "/", target, self.options)

    def measure(self, shelf: Shelf, parts: Mapping[str, str]) -> Size:
        """What a pass over all parts would bring that is not there yet; nothing is written."""
        passes = [
            self._rsync(
                parts[part].rstrip("/") + "/", shelf.tree / part, ("--dry-run", *self.options)
            )
            for part in parts
        ]
        return Size(sum(one.new_bytes for one in passes), sum(one.new_files for one in passes))

    def until_settled(self, shelf: Shelf, parts: Mapping[str, str]) -> dict[str, Any]:
        """Passes over each part until one changes nothing: that one saw no write in its middle.

        What is staged or published is never written again: one pass is enough there.
        """
        last: dict[str, Pass] = {}
        left = sorted(parts)
        changed = count = 0
        while left and count < MAX_PASSES:
            count += 1
            for part in left:
                last[part] = self.folder(parts[part], shelf.tree / part)
                changed += last[part].changed
            left = [part for part in left if _may_move(parts[part], last[part])]
        if any(last[part].vanished for part in left):
            raise Failed(f"files vanished at the source in each of {MAX_PASSES} passes")
        passes = last.values()
        return {
            "files": sum(one.files for one in passes),
            "bytes": sum(one.bytes for one in passes),
            "changed": changed,
            "passes": count,
            "settled": not left,
            "skipped": sorted({name for one in passes for name in one.skipped})[:1000],
        }


def _may_move(export: str, last: Pass) -> bool:
    """Whether the source may have been written while this pass read it."""
    return last.vanished or (last.changed > 0 and export.startswith("memory/"))


def store_fetch(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "peer", "snapshot", "pin"?: name, "deadline_seconds"?: default 240}
    -> {"id", "files", "bytes", "fetched": bool, "seconds"}.

    Brings one published snapshot, id kept, from the peer's store of the same name into this one's
    `snaps` (never made `current`), hashed again; pinned for 30 days under that name. A snapshot
    that is here already is only verified. Raises Failed naming the files that differ.
    """
    store, snapshot = p.store(params), p.snapshot(params, "snapshot")
    name = p.name(params, "pin") if params.get("pin") else ""
    seconds = p.seconds(params, "deadline_seconds", 240, 21600)
    peer = peer_of(config, p.name(params, "peer"))
    shelf, started = open_shelf(config, store), time.monotonic()
    with lock(shelf) as descriptor:
        is_here = (shelf.snaps / snapshot).is_dir() and not verify(shelf.snaps / snapshot)
        if not is_here:
            with connection(config, peer) as link:
                run = _Run(link, BACKUP, started + seconds, descriptor)
                _fetch(shelf, run, store, snapshot)
        if name:
            pin(shelf, f"{name}-{snapshot}", snapshot, time.time() + PIN_DAYS * DAY_SECONDS)
        files = read_manifest(shelf.snapshot(snapshot) / "manifest.json")["files"]
    return {
        "id": snapshot,
        "files": len(files),
        "bytes": sum(entry.get("size", 0) for entry in files.values()),
        "fetched": not is_here,
        "seconds": round(time.monotonic() - started, 3),
    }


def _fetch(shelf: Shelf, run: _Run, store: str, snapshot: str) -> None:
    beside = shelf.folder / ".fetch.new"
    discard(shelf, beside)
    beside.mkdir(mode=0o700)
    run.folder(f"store/{store}/{snapshot}/tree", beside / "tree")
    run.file(f"store/{store}/{snapshot}/manifest.json", beside / "manifest.json")
    wrong = verify(beside)
    if wrong:
        discard(shelf, beside)
        raise Failed(
            f"snapshot {snapshot} came with {len(wrong)} files that differ from its manifest: "
            + ", ".join(wrong[:5])
        )
    # Kept by its pin alone: it is no part of the history of what this store received.
    write_about(beside, {**read_manifest(beside / "manifest.json"), "own": True})
    discard(shelf, shelf.snaps / snapshot)
    put_in_place(shelf, beside, snapshot)
