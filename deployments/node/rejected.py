"""What a store refused, kept so that a person can look at it and accept it."""

from __future__ import annotations

import os
import time
from typing import Any

from .durable import sync_folder, write_json
from .shelf import Shelf, current_id, discard, read_json

KEPT_REJECTED = 5
REFUSED = "refused.json"


def reject(shelf: Shelf, snapshot: str, about: dict[str, Any]) -> None:
    """Keep what was refused, with `about` it, for a person to look at and accept.

    Of many in a row the first is kept, whose id was told, and the newest few.
    """
    write_json(shelf.incoming / REFUSED, {"id": snapshot, "time": time.time(), **about})
    os.rename(shelf.incoming, shelf.rejected / snapshot)
    sync_folder(shelf.rejected)
    kept = sorted(os.listdir(shelf.rejected))
    since = [one for one in kept if one > (current_id(shelf) or "")]
    for old in set(kept[:-KEPT_REJECTED]) - set(since[:1]):
        discard(shelf, shelf.rejected / old)


def read_refused(shelf: Shelf, snapshot: str) -> dict[str, Any] | None:
    """{"id", "time", "reasons", "origin", "epoch", "tier"} of one that was refused, None if it is
    not there, or not whole."""
    folder = shelf.rejected / snapshot
    about = read_json(folder / REFUSED)
    wanted = {"id", "reasons", "origin", "epoch", "tier"}
    return about if wanted <= set(about) and (folder / "tree").is_dir() else None


def list_refused(shelf: Shelf) -> list[dict[str, Any]]:
    """What was refused and is kept, the oldest first."""
    found = (read_refused(shelf, name) for name in sorted(os.listdir(shelf.rejected)))
    return [about for about in found if about is not None]
