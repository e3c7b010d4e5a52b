"""`store accept`: a person takes what was refused."""

from __future__ import annotations

import os
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import BadInput, Refused
from .publish import publish
from .pull_order import Order
from .rejected import read_refused
from .shelf import current_id, discard, lock, open_shelf


def store_accept(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "rejected": id, "reason": text} -> as `store publish`, and "origin" and "epoch".

    What was refused becomes the newest snapshot as it is, with the reasons against it and for it in
    its manifest. Raises BadInput when there is none of that id, or no reason; Refused when
    something newer was published since: it would be undone.
    """
    rejected, reason = p.snapshot(params, "rejected"), p.text(params, "reason")
    if not reason.strip():
        raise BadInput("to take what was refused, say why in reason")
    shelf = open_shelf(config, p.store(params))
    with lock(shelf):
        refused = read_refused(shelf, rejected)
        if refused is None:
            raise BadInput(f"{shelf.store} has rejected no {rejected} (only some are kept)")
        current = current_id(shelf)
        if current and current > rejected:
            raise Refused(
                f"{shelf.store}: {current} was published after {rejected} was refused",
                "it would be undone: there is nothing to accept any more",
            )
        discard(shelf, shelf.incoming)
        os.rename(shelf.rejected / rejected, shelf.incoming)
        order = Order(refused["origin"], refused["epoch"], refused["tier"])
        accepted = publish(config, shelf, order, reason)
    return {**accepted, "origin": order.origin, "epoch": order.epoch}
