"""`store pull`: what this machine takes from a peer."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .durable import write_json
from .errors import BadInput, Failed, Refused
from .farm import PULLED, ensure_farm, unmark
from .linked import take_away
from .manifest import MANIFEST
from .memory import SETTINGS, patterns_of
from .passes import Passes, Run
from .patterns import make_filters
from .rsync_output import Pass
from .shelf import Shelf, current_id, discard, lock, open_shelf
from .space import Size, require_room
from .transfer import BACKUP, MEMORY, NotExported, connection, peer_of
from .unchanged import Part, recall

MOST_SKIPPED = 1000
SETTINGS_EXPORT = f"settings/{SETTINGS}"
PEER_MANIFEST = "peer-manifest.json"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_EXPORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,300}")


def store_pull(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "peer", "parts": {folder in the tree: export path}, "memory"?: bool,
    "check"?: export path of a manifest, "settings"?: bool, "size"?: {"bytes", "files"} of the
    source, "states"?: of the parts, as the peer's `memory list` or `store stage` told them,
    "since"?: text, "touched"?: [path] and "gone"?: [path], as `store stage` told, "kept"?: bool,
    "deadline_seconds"?: 1..21600 (240)}
    -> {"files", "bytes", "changed", "passes", "settled", "skipped": [name], "named", "seconds"}.

    Fills .incoming; repeated until a pass saw no write in its middle (at most 5: `settled` is false
    then). A part that is as it was when the newest snapshot was pulled costs no pass. When that
    was the staged copy `since` of a known `size`, only the paths `touched` are pulled, and `named`
    is their number. With `kept` the connection to the peer may be that of an earlier pull.
    With `check`, the manifest beside the only part, `store publish` compares what came with it;
    with `settings` the peer's openclaw.json comes along, beside the tree. `skipped` are links and
    special files of a memory. Raises Refused when there is no file at all (a source that is
    unmounted or emptied), and with `size` when there is no room for what would come; Failed with
    rsync's words, .incoming is kept then and resumed later.
    """
    store, parts, size = p.store(params), _parts(params), _size(params)
    memory = p.flag(params, "memory") or store == "memory"
    seconds = p.seconds(params, "deadline_seconds", 240, 21600)
    check = p.text(params, "check")
    if check and (not _EXPORT.fullmatch(check) or parts != {"": _tree_beside(check)}):
        raise BadInput('"check" must be the export path of a manifest, and its tree the only part')
    peer, name = peer_of(config, p.name(params, "peer")), str(params["peer"])
    wanted = {**parts, SETTINGS: SETTINGS_EXPORT} if p.flag(params, "settings") else parts
    patterns = patterns_of(config) if memory else ()
    told = p.mapping(params, "states")
    states = _states(told, wanted, patterns)
    options = (*MEMORY, *make_filters(patterns)) if memory else BACKUP
    shelf, started = open_shelf(config, store), time.monotonic()
    with lock(shelf) as descriptor:
        ensure_farm(shelf)
        known = recall(shelf, name, states)
        names = _names(shelf, name, params, parts) if check and size and not known else []
        unmark(shelf)  # until all has come
        take_away(shelf.tree, p.paths(params, "gone") if names else ())
        _remove_others(shelf, parts, known)
        with connection(config, peer, p.flag(params, "kept")) as link:
            run = Run(link, options, started + seconds, descriptor)
            left = {part: parts[part] for part in parts if part not in known}
            if size and left:
                require_room(config, shelf.folder, size, lambda: run.measure(shelf, left))
            if check and left:
                passes = _with_manifest(run, shelf, check, names, size)
            else:
                passes = run.until_settled(shelf, left)
            known.update(_describe(passes, states))
            result = _sum(known, passes)
            if result["files"] == 0:
                discard(shelf, shelf.incoming)
                raise Refused(
                    f"{name} has no file to pull for {store}: is its source there?",
                    "look at the source; the last good snapshot stays",
                )
            if SETTINGS in wanted and SETTINGS not in known:
                run.file(SETTINGS_EXPORT, shelf.incoming / SETTINGS)
                (shelf.incoming / SETTINGS).chmod(0o600)
                known[SETTINGS] = _part(states.get(SETTINGS, ""))
        mark = {
            "peer": name,
            "parts": known,
            "skipped": result["skipped"],
            "state": told.get("", ""),
            "same_as": "" if passes.count else current_id(shelf),
        }
        write_json(shelf.incoming / PULLED, mark)
    seconds = round(time.monotonic() - started, 3)
    return {**result, "named": len(names), "seconds": seconds}


def _tree_beside(manifest: str) -> str:
    return manifest.removesuffix(MANIFEST) + "tree"


def _with_manifest(
    run: Run, shelf: Shelf, manifest: str, names: Sequence[str], size: Size | None
) -> Passes:
    """One pass brings a tree and its manifest: both are never written again at the peer.

    With `names` it is told of those paths alone, and `size` is that of the whole.
    """
    root = manifest.removesuffix(MANIFEST)
    try:
        both = run.named(root, shelf.incoming, names) if names else run.folder(root, shelf.incoming)
        document = (shelf.incoming / MANIFEST).stat().st_size
        last = replace(both, files=both.files - 1, bytes=both.bytes - document)
        last = replace(last, changed=max(0, both.changed - 1))
        last = replace(last, **size._asdict()) if names and size else last
    except NotExported:  # in the middle of an update: an earlier version has each by itself alone
        last = run.folder(_tree_beside(manifest), shelf.tree)
        run.file(manifest, shelf.incoming / MANIFEST)
    if last.vanished:
        raise Failed("files vanished at the source: what is staged or published was removed")
    os.rename(shelf.incoming / MANIFEST, shelf.incoming / PEER_MANIFEST)
    return Passes({"": last}, frozenset(), last.changed, 1)


def _names(shelf: Shelf, peer: str, params: dict[str, Any], parts: Mapping[str, str]) -> list[str]:
    """The paths that are enough to pull; none when all must be looked at."""
    since = _states({"": p.text(params, "since")}, parts, ())
    if not recall(shelf, peer, since):
        return []
    return [MANIFEST, *(f"tree/{path}".rstrip("/") for path in p.paths(params, "touched"))]


def _states(
    told: Mapping[str, str], wanted: Mapping[str, str], patterns: Sequence[str]
) -> dict[str, str]:
    """What the source told of each part, and what this machine takes of it; "" of which it told
    nothing.

    It was asked before the pull: what it wrote since is new at the next one.
    """
    return {part: _state(told.get(part, ""), export, patterns) for part, export in wanted.items()}


def _state(told: str, export: str, patterns: Sequence[str]) -> str:
    taken = json.dumps([told, export, patterns]).encode()
    return hashlib.sha256(taken).hexdigest() if told else ""


def _part(state: str, last: Pass | None = None) -> Part:
    """What is remembered of one part."""
    return {
        "state": state,
        "files": last.files if last else 0,
        "bytes": last.bytes if last else 0,
        "skipped": list(last.skipped[:MOST_SKIPPED]) if last else [],
    }


def _describe(passes: Passes, states: Mapping[str, str]) -> dict[str, Part]:
    """What a later pull can know of the parts that came; a part that moved must be looked at."""
    return {
        name: _part("" if name in passes.moving else states.get(name, ""), last)
        for name, last in passes.last.items()
    }


def _sum(parts: Mapping[str, Part], passes: Passes) -> dict[str, Any]:
    """The numbers of all parts."""
    return {
        "files": sum(part["files"] for part in parts.values()),
        "bytes": sum(part["bytes"] for part in parts.values()),
        "changed": passes.changed,
        "passes": passes.count,
        "settled": not passes.moving,
        "skipped": sorted({name for part in parts.values() for name in part["skipped"]})[
            :MOST_SKIPPED
        ],
    }


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


def _remove_others(shelf: Shelf, parts: Mapping[str, str], known: Mapping[str, Part]) -> None:
    """An agent that is gone at the source must go from .incoming too; then the guard sees it."""
    for name in (MANIFEST, PEER_MANIFEST):
        (shelf.incoming / name).unlink(missing_ok=True)
    if SETTINGS not in known:
        (shelf.incoming / SETTINGS).unlink(missing_ok=True)
    if "" in parts:
        return
    for entry in list(os.scandir(shelf.tree)):
        if entry.name not in parts:
            discard(shelf, Path(entry.path))
