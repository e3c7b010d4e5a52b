"""`store offer`: good files for the peer, by their sha256, in the one folder that it may read."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import BadInput
from .holdings import examine, find_places
from .scrub import SCRUB_LOCK
from .shelf import OFFER, Shelf, lock, open_shelf

SHA256 = re.compile(r"[0-9a-f]{64}")
MOST = 1000
MOST_BYTES = 2 << 30


def store_offer(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "sha256": [at most 1000]} -> {"offered": [sha256], "bytes", "seconds"}.

    What is offered is hard links in the store's .offer, read again just now; about 2 GB at most.
    An offer replaces the one before: with [] nothing is offered any more. A store that is not on
    this machine offers nothing. Raises Refused when another run scrubs or heals this store.
    """
    store, wanted, started = p.store(params), p.paths(params, "sha256"), time.monotonic()
    if len(wanted) > MOST or not all(SHA256.fullmatch(one) for one in wanted):
        raise BadInput(f'"sha256" must be a list of at most {MOST} hashes')
    result: dict[str, Any] = {"offered": [], "bytes": 0}
    if (config.stores / store).is_dir():
        shelf = open_shelf(config, store)
        with lock(shelf, name=SCRUB_LOCK):
            result = _offer(shelf, set(wanted))
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _offer(shelf: Shelf, wanted: set[str]) -> dict[str, Any]:
    folder = shelf.folder / OFFER
    folder.mkdir(exist_ok=True, mode=0o700)
    for entry in list(os.scandir(folder)):
        os.unlink(entry.path)
    places = find_places(shelf, wanted.__contains__).places if wanted else {}
    offered: list[str] = []
    size = 0
    for digest in sorted(places):
        if offered and size + int(places[digest][0].entry["size"]) > MOST_BYTES:
            continue
        good = examine(shelf, digest, places[digest]).good
        if good:
            try:
                os.link(good, folder / digest)
            except FileNotFoundError:  # pruned this moment
                continue
            offered.append(digest)
            size += os.lstat(folder / digest).st_size
    return {"offered": offered, "bytes": size}
