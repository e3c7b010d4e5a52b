"""Delete the snapshots that retention no longer keeps."""

from __future__ import annotations

import time

from .farm import recycle
from .pins import drop_old_pins, pinned_ids
from .retention import BACKUP_PLAN, MEMORY_PLAN, choose_old
from .shelf import Shelf, current_id, read_abouts


def prune(shelf: Shelf) -> list[str]:
    """Delete what retention no longer keeps; only ever called after a verified publish.

    A snapshot of this node's own memory is kept by its pin alone: it is no part of the history of
    what was received, and must not take the place of one that is.
    """
    now = time.time()
    abouts = read_abouts(shelf)
    times = {str(one["id"]): float(one["time"]) for one in abouts if not one.get("own")}
    keep = {*pinned_ids(shelf, now), str(current_id(shelf))}
    old = choose_old(times, keep, now, MEMORY_PLAN if shelf.store == "memory" else BACKUP_PLAN)
    old += [str(one["id"]) for one in abouts if one.get("own") and one["id"] not in keep]
    for snapshot in reversed(old):  # the newest of them is most like the current one
        recycle(shelf, snapshot)
    drop_old_pins(shelf, now)
    return old
