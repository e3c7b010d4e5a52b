"""Whether the source's memory is as it was at the last sync: then nothing has to be pulled.

The source hashes names, inodes, sizes and times of its memory in `memory list`; the receiver keeps
that hash beside what it published of it. Most syncs find nothing new, and cost no connection then.
"""

from __future__ import annotations

import os
from typing import Any

from .durable import write_json
from .memory import SETTINGS
from .rotten import read_rotten
from .shelf import Shelf, current_id, read_json

UNCHANGED = "unchanged.json"


def recall(shelf: Shelf, peer: str, state: str) -> dict[str, Any] | None:
    """{"files", "bytes", "skipped"} of the newest snapshot when the peer's memory was like this
    when it was pulled, and .incoming is still what was published; else None.
    """
    known = read_json(shelf.incoming / UNCHANGED)
    wanted = {"state": state, "peer": peer, "id": current_id(shelf)}
    return known if state and {key: known.get(key) for key in wanted} == wanted else None


def remember(shelf: Shelf, pulled: dict[str, Any], published: dict[str, Any]) -> None:
    """After a publish of all that was `pulled`: .incoming is what the newest snapshot is.

    A file that was held or is bad is looked at again each time; one that rotted is not there.
    """
    forget(shelf)
    odd = published["held"] or published["bad"] or read_rotten(shelf)
    if not pulled.get("state") or odd:
        return
    settings = shelf.snaps / str(published["id"]) / SETTINGS
    if settings.is_file() and not (shelf.incoming / SETTINGS).exists():
        os.link(settings, shelf.incoming / SETTINGS)
    about = {key: pulled[key] for key in ("state", "peer", "skipped")}
    sizes = {key: published[key] for key in ("id", "files", "bytes")}
    write_json(shelf.incoming / UNCHANGED, {**about, **sizes})


def forget(shelf: Shelf) -> None:
    """Before anything in .incoming is touched."""
    (shelf.incoming / UNCHANGED).unlink(missing_ok=True)
