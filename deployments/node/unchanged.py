"""Which parts of the source's memory are as they were at the last sync: they are not pulled again.

The source hashes names, inodes, sizes and times of each agent's memory in `memory list`; the
receiver keeps those hashes beside what it published. Most syncs find nothing new, and cost no
connection then; the others pull the agents that wrote.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .durable import write_json
from .memory import SETTINGS
from .rotten import read_rotten
from .shelf import Shelf, current_id, read_json

UNCHANGED = "unchanged.json"

# {"state": what the source told, "files", "bytes", "skipped": [name]} of an agent or openclaw.json.
Part = dict[str, Any]


def recall(shelf: Shelf, peer: str, states: Mapping[str, str]) -> dict[str, Part]:
    """The parts that were pulled in this state, if .incoming is still what was published."""
    known = read_json(shelf.incoming / UNCHANGED)
    wanted = {"peer": peer, "id": current_id(shelf)}
    if {key: known.get(key) for key in wanted} != wanted:
        return {}
    parts: dict[str, Part] = known.get("parts", {})
    return {
        name: parts[name]
        for name, state in states.items()
        if state and parts.get(name, {}).get("state") == state
    }


def remember(shelf: Shelf, pulled: dict[str, Any], published: dict[str, Any]) -> None:
    """After a publish of all that was `pulled`: .incoming is what the newest snapshot is.

    A file that was held or is bad is looked at again each time; one that rotted is not there.
    """
    forget(shelf)
    odd = published["held"] or published["bad"] or read_rotten(shelf)
    parts = {name: part for name, part in pulled.get("parts", {}).items() if part["state"]}
    if not parts or odd:
        return
    settings = shelf.snaps / str(published["id"]) / SETTINGS
    if settings.is_file() and not (shelf.incoming / SETTINGS).exists():
        os.link(settings, shelf.incoming / SETTINGS)
    known = {"peer": pulled["peer"], "id": published["id"], "parts": parts}
    write_json(shelf.incoming / UNCHANGED, known)


def forget(shelf: Shelf) -> None:
    """Before anything in .incoming is touched."""
    (shelf.incoming / UNCHANGED).unlink(missing_ok=True)
