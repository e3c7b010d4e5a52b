"""`store pull`: what this machine takes from a peer."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .base import Base, read_base
from .config import NodeConfig
from .durable import write_json
from .errors import Failed, Refused
from .farm import PEER_MANIFEST, PULLED, ensure_farm, unmark
from .linked import take_away
from .manifest import MANIFEST
from .memory import SETTINGS
from .passes import Passes, Run
from .patterns import make_filters
from .publish import publish
from .pull_order import SETTINGS_EXPORT, PullOrder, read_pull_order, tree_beside
from .rsync_output import Pass
from .shelf import Shelf, current_id, discard, lock, open_shelf
from .space import require_room
from .transfer import BACKUP, MEMORY, NotExported, connection, peer_of
from .unchanged import Part, recall

MOST_SKIPPED = 1000


def store_pull(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "peer", "parts": {folder in the tree: export path}, "memory"?: bool,
    "check"?: export path of a manifest, "settings"?: bool, "size"?: {"bytes", "files"} of the
    source, "states"?: of the parts, as the peer's `memory list` or `store stage` told them,
    "since"?: text, "touched"?: [path] and "gone"?: [path], as `store stage` told, "kept"?: bool,
    "publish"?: {"origin", "epoch", "tier"}, "deadline_seconds"?: 1..21600 (240)}
    -> {"files", "bytes", "changed", "passes", "settled", "skipped": [name], "named", "seconds",
    "published"?: as `store publish`}.

    Fills .incoming; repeated until a pass saw no write in its middle (at most 5: `settled` is false
    then). A part that is as it was when the newest snapshot was pulled costs no pass. When that
    was the staged copy `since` of a known `size`, only the paths `touched` are pulled, and `named`
    is their number. With `kept` the connection to the peer may be that of an earlier pull.
    With `check`, the manifest beside the only part, what came is compared with it when it is
    published: at once with `publish`, else by `store publish`. With `settings` the peer's
    openclaw.json comes along, beside the tree. `skipped` are links and special files of a memory.
    Raises Refused when there is no file at all (a source that is unmounted or emptied), with `size`
    when there is no room for what would come, and as `store publish`; Failed with rsync's words,
    .incoming is kept then and resumed later.
    """
    order = read_pull_order(config, params)
    peer, started = peer_of(config, order.peer), time.monotonic()
    options = (*MEMORY, *make_filters(order.patterns)) if order.is_memory else BACKUP
    shelf = open_shelf(config, order.store)
    with lock(shelf) as descriptor:
        ensure_farm(shelf)
        known = recall(shelf, order.peer, order.states)
        names = _names(shelf, order) if order.check and order.size and not known else []
        unmark(shelf)  # until all has come
        take_away(shelf.tree, order.gone if names else ())
        _remove_others(shelf, order.parts, known)
        with connection(config, peer, order.is_kept) as link:
            run = Run(link, options, started + order.seconds, descriptor)
            passes, base = _take(config, run, shelf, order, names, known)
            known.update(_describe(passes, order.states))
            result = {**_sum(known, passes), "named": len(names)}
            if result["files"] == 0:
                discard(shelf, shelf.incoming)
                raise Refused(
                    f"{order.peer} has no file to pull for {order.store}: is its source there?",
                    "look at the source; the last good snapshot stays",
                )
            if SETTINGS in order.wanted and SETTINGS not in known:
                run.file(SETTINGS_EXPORT, shelf.incoming / SETTINGS)
                (shelf.incoming / SETTINGS).chmod(0o600)
                known[SETTINGS] = _part(order.states.get(SETTINGS, ""))
        mark = {
            "peer": order.peer,
            "parts": known,
            "skipped": result["skipped"],
            "state": order.state,
            "same_as": "" if passes.count else current_id(shelf),
        }
        write_json(shelf.incoming / PULLED, mark)
        result["seconds"] = round(time.monotonic() - started, 3)
        if order.publish:
            result["published"] = publish(config, shelf, order.publish, base=base)
    return result


def _take(
    config: NodeConfig,
    run: Run,
    shelf: Shelf,
    order: PullOrder,
    names: Sequence[str],
    known: Mapping[str, Part],
) -> tuple[Passes, Base | None]:
    """Pull what is not known, and read meanwhile what it will be compared with, if it will be."""
    left = {part: order.parts[part] for part in order.parts if part not in known}
    bases = list[Base]()
    if order.publish and left:
        run.meanwhile = lambda: bases.append(read_base(shelf))
    if order.size and left:
        require_room(config, shelf.folder, order.size, lambda: run.measure(shelf, left))
    if order.check and left:
        passes, is_named = _with_manifest(run, shelf, order, names)
    else:
        passes, is_named = run.until_settled(shelf, left), False
    return passes, bases[0]._replace(is_still=is_named) if bases else None


def _with_manifest(
    run: Run, shelf: Shelf, order: PullOrder, names: Sequence[str]
) -> tuple[Passes, bool]:
    """One pass brings a tree and its manifest: both are never written again at the peer.

    With `names` it is told of those paths alone, and the size is that of the whole; returns whether
    it was.
    """
    root = order.check.removesuffix(MANIFEST)
    is_named = bool(names)
    try:
        both = run.named(root, shelf.incoming, names) if names else run.folder(root, shelf.incoming)
        document = (shelf.incoming / MANIFEST).stat().st_size
        last = replace(both, files=both.files - 1, bytes=both.bytes - document)
        last = replace(last, changed=max(0, both.changed - 1))
        last = replace(last, **order.size._asdict()) if names and order.size else last
    except NotExported:  # in the middle of an update: an earlier version has each by itself alone
        is_named = False
        last = run.folder(tree_beside(order.check), shelf.tree)
        run.file(order.check, shelf.incoming / MANIFEST)
    if last.vanished:
        raise Failed("files vanished at the source: what is staged or published was removed")
    os.rename(shelf.incoming / MANIFEST, shelf.incoming / PEER_MANIFEST)
    return Passes({"": last}, frozenset(), last.changed, 1), is_named


def _names(shelf: Shelf, order: PullOrder) -> list[str]:
    """The paths that are enough to pull; none when all must be looked at."""
    if not recall(shelf, order.peer, order.since):
        return []
    return [MANIFEST, *(f"tree/{path}".rstrip("/") for path in order.touched)]


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
