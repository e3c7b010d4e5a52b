"""Delete the snapshots that retention no longer keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .errors import Failed
from .manifest import read_manifest
from .pins import drop_old_pins, pinned_ids
from .retention import BACKUP_PLAN, MEMORY_PLAN, choose_old
from .shelf import Shelf, current_id, discard, snapshot_ids


def prune(shelf: Shelf) -> list[str]:
    """Delete what retention no longer keeps; only ever called after a verified publish."""
    now = time.time()
    times = snapshot_times(shelf)
    keep = {*pinned_ids(shelf, now), str(current_id(shelf))}
    old = choose_old(times, keep, now, MEMORY_PLAN if shelf.store == "memory" else BACKUP_PLAN)
    for snapshot in old:
        discard(shelf, shelf.snaps / snapshot)
    drop_old_pins(shelf, now)
    return old


def snapshot_times(shelf: Shelf) -> Mapping[str, float]:
    """Id -> Unix seconds of each snapshot that has a readable manifest."""
    times = {}
    for snapshot in snapshot_ids(shelf):
        try:
            times[snapshot] = float(read_manifest(shelf.snaps / snapshot / "manifest.json")["time"])
        except (Failed, KeyError, ValueError):
            continue
    return times
