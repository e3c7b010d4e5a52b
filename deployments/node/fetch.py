"""`store fetch`: one published snapshot of a peer's store, id kept, into this machine's."""

from __future__ import annotations

import time
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import Failed
from .manifest import read_manifest, verify, write_about
from .passes import Run
from .pins import DAY_SECONDS, PIN_DAYS, pin
from .shelf import Shelf, discard, lock, open_shelf, put_in_place
from .transfer import BACKUP, connection, peer_of


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
                run = Run(link, BACKUP, started + seconds, descriptor)
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


def _fetch(shelf: Shelf, run: Run, store: str, snapshot: str) -> None:
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
