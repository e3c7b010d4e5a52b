"""`store validate`, `store incoming` and `store list`: what lies in the stores of this machine."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import Failed
from .manifest import walk
from .pins import pinned_ids
from .rejected import list_refused
from .rotten import read_rotten
from .shelf import (
    VERIFIED,
    Shelf,
    current_id,
    lock,
    open_shelf,
    read_abouts,
    read_applied,
    read_json,
)
from .validate import check_tree

MOST_PROBLEMS = 200
DRILL = "drill.json"


def store_validate(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store"} -> {"files", "bad": [{"path", "line", "column", "expected", "message"}], "seconds"}

    Checks everything in .incoming, every time; publishes and changes nothing.
    """
    shelf, started = open_shelf(config, p.store(params)), time.monotonic()
    with lock(shelf):
        if not shelf.tree.is_dir():
            raise Failed(f"{shelf.store}: nothing was pulled", "run store pull first")
        problems = check_tree(shelf.tree, config.required_fields)
        files = sum(1 for _ in walk(shelf.tree))
    bad = [
        {
            "path": path,
            "line": problem.line,
            "column": problem.column,
            "expected": problem.expected,
            "message": problem.message,
        }
        for path, problem in sorted(problems.items())[:MOST_PROBLEMS]
    ]
    return {"files": files, "bad": bad, "seconds": round(time.monotonic() - started, 3)}


def store_incoming(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store"} -> {"files", "bytes"}: how much of the source lies in .incoming by now.

    Looks without the lock, beside a pull: what it counts may be gone a moment later.
    """
    shelf = open_shelf(config, p.store(params))
    files = size = 0
    for folder, _, names in os.walk(shelf.tree):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_size
                files += 1
    return {"files": files, "bytes": size}


def store_list(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store"?} -> {"stores": {store: {"current": id or null, "age_seconds": float or null,
    "snapshots": [{"id", "time", "origin", "epoch", "files", "bytes", "pinned"}],
    "rejected": [{"id", "time", "reasons", "origin", "epoch", "tier"}],
    "drill": {"time", "wrong", ...} or null, "rotten": int, "applied": {peer: {"snapshot",
    "epoch", "own", "time"}}}}}.

    `age_seconds` is the age of the newest verified content; null when there is none. Snapshots
    are listed oldest first; a ruined one is left out.
    """
    names = [p.store(params)] if params.get("store") else find_stores(config)
    return {"stores": {name: _describe(config, open_shelf(config, name)) for name in names}}


def find_stores(config: NodeConfig) -> list[str]:
    """The stores that exist on this machine."""
    names = ["memory"] if (config.stores / "memory").is_dir() else []
    backups = config.stores / "backup"
    if backups.is_dir():
        names += [f"backup/{entry.name}" for entry in sorted(backups.iterdir()) if entry.is_dir()]
    return names


def _describe(config: NodeConfig, shelf: Shelf) -> dict[str, Any]:
    now = time.time()
    pinned = pinned_ids(shelf, now)
    verified = newest_verified(config, shelf.store)
    shown = ("id", "time", "origin", "epoch", "files", "bytes")
    snapshots = [
        {**{key: about.get(key) for key in shown}, "pinned": about["id"] in pinned}
        for about in read_abouts(shelf)
    ]
    return {
        "current": current_id(shelf),
        "age_seconds": verified["age_seconds"] if verified else None,
        "snapshots": snapshots,
        "rejected": list_refused(shelf),
        "drill": read_json(shelf.folder / DRILL) or None,
        "rotten": len(read_rotten(shelf)),
        "applied": read_applied(shelf),
    }


def newest_verified(config: NodeConfig, store: str) -> dict[str, Any] | None:
    """{"id", "time", "age_seconds", "origin", "epoch"} of the newest verified content.

    One small file is read, so that a probe may ask for it; None when nothing was verified yet.
    """
    stamp = read_json(config.stores / store / VERIFIED)
    if "time" not in stamp:
        return None
    return {**stamp, "age_seconds": max(0.0, round(time.time() - float(stamp["time"]), 1))}
