"""What a store refused: a person is told once of each streak of refusals, and can accept one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import Refused, RemoteError
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.deadline import check
from tasks.notify import alert
from tasks.remote.nodes import node
from tasks.told import exchange

STEP_SECONDS = 60.0
_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}")
# They change from one refusal to the next, and the reason stays.
_CHANGING = re.compile(rf"{_ID.pattern}|\d+(\.\d+)?")


@dataclass(frozen=True)
class Rejected:
    """One thing that was refused and is kept: where it lies, whose it is, and why."""

    node: str
    store: str
    snapshot: str
    origin: str
    epoch: int
    reasons: tuple[str, ...]


def note_refusal(site: Site, what: str, why: str) -> None:
    """Tell a person of a refusal, once for each reason; `what` is what was not taken over."""
    reason = [_CHANGING.sub("#", why)]
    if exchange(site, topic(what), reason) == reason:
        return
    text = f"{what} was refused: {why}"
    if found := _ID.search(why):
        words = f"-p snapshot={found[0]} -p reason=WHY"
        text += f" (prefect deployment run accept/{site.site} {words})"
    alert(site, Level.WARN, text)


def note_taken(site: Site, what: str) -> None:
    """The all-clear, if a refusal was told before."""
    if exchange(site, topic(what), []):
        alert(site, Level.OK, f"{what} is taken over again")


def topic(what: str) -> str:
    return f"refusals of {what}"


@task(name="find-rejected", cache_policy=NO_CACHE)
def find_rejected(site: Site, snapshot: str) -> Rejected:
    """The one of this id, on whichever node it lies.

    Raises Refused when there is none, with the ids that there are.
    """
    found = list_rejected(site)
    for one in found:
        if one.snapshot == snapshot:
            return one
    others = "; ".join(
        f"{one.snapshot} ({one.store} on {one.node}: {', '.join(one.reasons)})" for one in found
    )
    raise Refused(f"no node has rejected {snapshot!r}; what can be accepted: {others or 'nothing'}")


def list_rejected(site: Site) -> list[Rejected]:
    """What the stores of both nodes have refused and kept; a node that is away is left out."""
    found = []
    for name in site.nodes:
        try:
            stores = node(site, name).call("store list", seconds=STEP_SECONDS)["stores"]
        except RemoteError as error:
            get_run_logger().warning("%s", error)
            continue
        found += [
            Rejected(name, store, one["id"], one["origin"], one["epoch"], tuple(one["reasons"]))
            for store, about in stores.items()
            for one in about["rejected"]
        ]
    return found


@task(name="accept-rejected", cache_policy=NO_CACHE)
def accept_rejected(site: Site, rejected: Rejected, reason: str) -> dict[str, Any]:
    """Make it the store's newest snapshot. Raises Refused when something newer is there."""
    check()
    order = {"store": rejected.store, "rejected": rejected.snapshot, "reason": reason}
    return node(site, rejected.node).call("store accept", order, seconds=STEP_SECONDS)
