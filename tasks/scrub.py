"""The steps of a scrub: read a share of a store, heal what rotted, tell a person once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import DualJoeError, Refused
from tasks.core.rot import fault_line, fault_name, rot_text
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.locks import locked_or
from tasks.notify import alert
from tasks.remote.nodes import node
from tasks.told import exchange

SHARES = 24
STEP_SECONDS = 60.0
HEAL_SECONDS = 600.0
# Beyond a step's deadline: one file is read to its end, however large, and the store is listed.
LAST_FILE_SECONDS = 3600.0
BATCH = 500


@contextlib.contextmanager
def scrub_lock(site: Site) -> Iterator[None]:
    """One scrub at a time. Raises Refused at once when another one runs."""
    refused = Refused("another scrub is still under way")
    with locked_or(refused, site.watchdog.state / "scrub.lock"):
        yield


def start_progress(site: Site) -> Callable[[float], None]:
    """A bar in Prefect's UI, the artifact `<site>-scrub`; what it returns sets it, 0 to 1."""
    about = "How much of this hour's share of all stores was read"
    artifact = cast(UUID, create_progress_artifact(0.0, f"{site.site}-scrub", about))

    def show(part: float) -> None:
        update_progress_artifact(artifact, round(100 * part, 1))

    return show


@task(name="find-stores", task_run_name="stores-on-{name}", cache_policy=NO_CACHE)
def find_stores(site: Site, name: str) -> list[str]:
    """The stores of a node. Raises RemoteError when it does not answer."""
    told = node(site, name).call("store list", seconds=STEP_SECONDS)
    return sorted(told["stores"])


@task(name="scrub-share", task_run_name="scrub-{store}-on-{name}", cache_policy=NO_CACHE)
def scrub_share(site: Site, name: str, store: str, seconds: float) -> dict[str, Any]:
    """Read on in the share that is due, for so long; the node remembers where it ended."""
    order = {"store": store, "of": SHARES, "deadline_seconds": max(1.0, seconds)}
    limit = seconds + LAST_FILE_SECONDS
    told = node(site, name).call("store scrub", order, seconds=limit)
    get_run_logger().info(
        "%s on %s: share %d of %d, %d %%, %d files, %d bytes, %d rotten",
        *(store, name, told["part"] + 1, SHARES, int(100 * told["progress"])),
        *(told["files"], told["bytes"], told["count"]),
    )
    return told


@task(name="heal", task_run_name="heal-{store}-on-{name}", cache_policy=NO_CACHE)
def heal(site: Site, name: str, store: str) -> dict[str, Any]:
    """Heal what is known to be rotten: {"healed": [fault], "left": [fault], "count": left}.

    First from the node itself, then from what the other node offers; without that one it is what
    could be done. Raises Refused or RemoteError when the node itself cannot be asked.
    """
    told = _heal_by(site, name, {"store": store})
    healed, wanted = list(told["healed"]), list(told["wanted"])
    other = site.other(name)
    try:
        while wanted:
            batch, later = wanted[:BATCH], wanted[BATCH:]
            offered = set(_offer(site, other, store, batch))
            if offered:
                told = _heal_by(site, name, {"store": store, "peer": other})
                healed += told["healed"]
            # An offer has a size: of what was not in it some may be in the next one.
            wanted = [one for one in batch if one not in offered and offered] + later
    except DualJoeError as error:
        get_run_logger().warning("%s is healed without %s: %s", store, other, error)
    with contextlib.suppress(DualJoeError):
        _offer(site, other, store, [])
    return {"healed": healed, "left": told["left"], "count": told["count"]}


def _heal_by(site: Site, name: str, order: dict[str, Any]) -> dict[str, Any]:
    words = {**order, "deadline_seconds": HEAL_SECONDS}
    return node(site, name).call("store heal", words, seconds=HEAL_SECONDS + LAST_FILE_SECONDS)


def _offer(site: Site, name: str, store: str, wanted: list[str]) -> list[str]:
    order = {"store": store, "sha256": wanted}
    told = node(site, name).call("store offer", order, seconds=LAST_FILE_SECONDS)
    return list(told["offered"])


def report_rot(site: Site, name: str, store: str, told: dict[str, Any]) -> None:
    """Tell a person, once, what rotted and whether it was healed, and when nothing is any more."""
    where = f"{store} on {name}"
    healed, left = ([fault_line(one) for one in told[key]] for key in ("healed", "left"))
    names = sorted({fault_name(one) for one in told["left"]})
    before = exchange(site, f"rot in {where}", names)
    new = [name for name in names if name not in before]
    if before and not left:
        text = rot_text(where, healed, [], 0) if healed else f"Files in {where}"
        alert(site, Level.OK, f"{text}. Nothing is rotten there any more")
    elif healed or new:
        alert(site, Level.WARN, rot_text(where, healed, left, told["count"]))
