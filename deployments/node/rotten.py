"""rotten.json: what of a store is not as it was published, kept until it is healed or pruned."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from .durable import write_json
from .shelf import Shelf, read_json

ROTTEN = "rotten.json"
LISTED = 500

# {"kind": "file" | "link" | "extra" | "manifest" | "about", "path": in the snapshots' tree, or the
# name of the document, "sha256" and "size": as published, "" and 0 for no file, "snapshots": [id],
# "why", "since": Unix seconds}
Fault = dict[str, Any]


def make_fault(
    kind: str, path: str, digest: str, snapshots: Iterable[str], why: str, size: int = 0
) -> Fault:
    """One thing that is not as it was published, in all the snapshots that share it."""
    return {
        "kind": kind,
        "path": path,
        "sha256": digest,
        "size": size,
        "snapshots": sorted(set(snapshots)),
        "why": why,
        "since": time.time(),
    }


def key_of(fault: Fault) -> tuple[str, ...]:
    """What makes two faults the same; a document is its snapshot's own."""
    own = () if fault["kind"] == "file" else tuple(fault["snapshots"])
    return (fault["kind"], fault["path"], fault["sha256"], *own)


def read_rotten(shelf: Shelf) -> list[Fault]:
    """What is known to be rotten now."""
    return list(read_json(shelf.folder / ROTTEN).get("faults", []))


def write_rotten(shelf: Shelf, faults: Iterable[Fault]) -> None:
    """Replace all that is known, durably; nothing is written when it is the same."""
    told = sorted(faults, key=key_of)
    if told != read_rotten(shelf):
        write_json(shelf.folder / ROTTEN, {"faults": told})


def note(shelf: Shelf, found: Iterable[Fault]) -> None:
    """Add what was found; of what was known the snapshots are the new ones."""
    known = {key_of(fault): fault for fault in read_rotten(shelf)}
    for fault in found:
        since = known.get(key_of(fault), fault)["since"]
        known[key_of(fault)] = {**fault, "since": since}
    write_rotten(shelf, known.values())
