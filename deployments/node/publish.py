"""`store publish`: what was pulled becomes the newest snapshot, or is refused with the reasons."""

from __future__ import annotations

import time
from typing import Any

from . import params as p
from .base import Base, read_base
from .config import NodeConfig
from .draft import Draft, refresh
from .errors import BadInput, Failed
from .farm import PULLED, ensure_farm
from .prune import prune
from .pull_order import Order, read_publish_order
from .shelf import Shelf, current_id, lock, open_shelf, read_json
from .unchanged import remember


def store_publish(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "origin": machine, "epoch": int, "tier": text} -> {"id", "unchanged": bool,
    "files", "bytes", "held": {path: why}, "bad": {path: why}, "pruned": [id], "seconds"}.

    Content equal to the current snapshot (memory: of the same epoch) publishes nothing new and
    refreshes its age. `held` files stayed at their last good version; `bad` ones have no good
    version and are kept as they came.
    Raises Refused with the reasons (what was pulled goes to .rejected/<id>, named in the message),
    Failed when nothing complete was pulled.
    """
    order = read_publish_order(params)
    shelf = open_shelf(config, p.store(params))
    with lock(shelf):
        return publish(config, shelf, order)


def publish(
    config: NodeConfig, shelf: Shelf, order: Order, accept: str = "", base: Base | None = None
) -> dict[str, Any]:
    """What lies in .incoming, under the shelf's lock; with `accept` nothing is refused.

    `base`: the newest snapshot, when it was read under this lock already.
    """
    started = time.monotonic()
    pulled = read_json(shelf.incoming / PULLED)
    if not pulled:
        raise Failed(f"{shelf.store}: nothing complete was pulled", "run store pull first")
    if shelf.store == "memory" and pulled.get("peer") != order.origin:
        raise BadInput(f"this memory was pulled from {pulled.get('peer')}, not from {order.origin}")
    result = _see_again(shelf, pulled, order)
    if result is None:
        result = Draft(config, shelf, order, base or read_base(shelf)).publish(accept, pulled)
    result["pruned"] = prune(shelf)
    ensure_farm(shelf)  # now, off the path of the next pull
    remember(shelf, pulled, result)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _see_again(shelf: Shelf, pulled: dict[str, Any], order: Order) -> dict[str, Any] | None:
    """A backup whose source is the very copy that was published last: only its age is new.

    None when it must be looked at.
    """
    snapshot = current_id(shelf)
    if shelf.store == "memory" or not snapshot or pulled.get("same_as") != snapshot:
        return None
    about = read_json(shelf.snaps / snapshot / "about.json")
    if about.get("origin") != order.origin:
        return None
    refresh(shelf, snapshot, order)
    size = {key: about[key] for key in ("files", "bytes")}
    return {"held": {}, "bad": {}, **size, "id": snapshot, "unchanged": True}
