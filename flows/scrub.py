"""Hourly: read 1/24 of every store on both nodes again, and heal what rotted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.core.errors import DualJoeError, Refused, RemoteError
from tasks.core.site import Site
from tasks.core.tiers import in_words
from tasks.journal import is_moving
from tasks.runs import is_newer_due, rename_run
from tasks.scrub import (
    STEP_SECONDS,
    find_stores,
    heal,
    report_rot,
    scrub_lock,
    scrub_share,
    start_progress,
)
from tasks.sites import DEFAULT_SITE, load_site
from tasks.tiers import show_tiers

READING = 0.8  # of the interval; the rest is for healing

NOTHING: dict[str, Any] = {"healed": [], "left": [], "count": 0}


@dataclass
class Outcome:
    """What one run read, healed and left."""

    files: int = 0
    bytes: int = 0
    healed: int = 0
    rotten: int = 0
    away: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def note(self, error: str) -> None:
        """What failed; the run goes on, and fails at its end."""
        self.errors.append(error)
        get_run_logger().error("%s", error)


@flow(name="scrub")
def scrub(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Read the next 1/24 of each store on both nodes, and heal what rotted from the other node.

    Each node keeps how far it came: a share for which the time was too short, or whose node was
    away, is gone on with the next time.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_newer_due():
        return Completed(name="Skipped", message="a newer scrub is due already")
    if is_moving(site):
        return Completed(name="Moving", message="a move is under way: the disks are left to it")
    try:
        with scrub_lock(site):
            outcome = scrub_all(site)
        show_tiers(site)
        return conclude(outcome)
    except Refused as error:
        rename_run(f"Skipped: {error}")
        return Completed(name="Skipped", message=str(error))


def scrub_all(site: Site) -> Outcome:
    """Every store gets its part of the time; one that fails keeps no other from it."""
    outcome = Outcome()
    stores = list_stores(site, outcome)
    end = time.monotonic() + READING * site.times.scrub_seconds
    progress = start_progress(site)
    for number, (name, store) in enumerate(stores):

        def show(part: float, done: int = number) -> None:
            progress((done + part) / len(stores))

        now = time.monotonic()
        until = now + max(0.0, end - now) / (len(stores) - number)
        try:
            scrub_store(site, name, store, until, show, outcome)
        except DualJoeError as error:
            outcome.note(f"{store} on {name}: {error}")
    return outcome


def list_stores(site: Site, outcome: Outcome) -> list[tuple[str, str]]:
    """(node, store) of every store that can be asked for."""
    found = []
    for name in site.nodes:
        try:
            found += [(name, store) for store in find_stores(site, name)]
        except RemoteError as error:
            outcome.away.append(name)
            get_run_logger().warning("%s is left for the next time: %s", name, error)
    return found


def scrub_store(
    site: Site,
    name: str,
    store: str,
    until: float,
    show: Callable[[float], None],
    outcome: Outcome,
) -> None:
    """Read one store's share until `until` (monotonic), then heal what is known to be rotten."""
    while True:
        left = until - time.monotonic()
        told = scrub_share(site, name, store, min(STEP_SECONDS, left))
        outcome.files, outcome.bytes = outcome.files + told["files"], outcome.bytes + told["bytes"]
        show(told["progress"])
        if told["done"] or time.monotonic() >= until:
            break
    tried = NOTHING
    if told["count"]:
        try:
            tried = heal(site, name, store)
        except DualJoeError as error:  # what is rotten is told all the same
            tried = {"healed": [], "left": told["rotten"], "count": told["count"]}
            outcome.note(f"{store} on {name} was not healed: {error}")
    outcome.healed += len(tried["healed"])
    outcome.rotten += tried["count"]
    report_rot(site, name, store, tried)


def conclude(outcome: Outcome) -> State[Any]:
    """The run's name and state: failed while something is rotten, or could not be looked at."""
    away = f"; {' and '.join(outcome.away)} away" if outcome.away else ""
    read = f"{outcome.files} files, {in_words(outcome.bytes)} read"
    text = f"{read}: {outcome.healed} healed, {outcome.rotten} rotten{away}"
    rename_run(text)
    if outcome.rotten or outcome.errors:
        return Failed(message="; ".join([text, *outcome.errors]))
    return Completed(message=text)
