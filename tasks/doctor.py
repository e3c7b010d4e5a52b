"""Asks all machines and Prefect what tasks/core/doctor.py wants to know; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import WorkerFilter, WorkerFilterStatus
from prefect.client.schemas.objects import WorkerStatus
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger

from tasks.core.doctor import Told
from tasks.core.errors import DualJoeError
from tasks.core.site import Site
from tasks.core.situation import Situation
from tasks.core.state import Observation, Ssh
from tasks.drift import compare_settings
from tasks.journal import load_history, now
from tasks.notify import find_addresses
from tasks.observe import observe
from tasks.pause import load_pause
from tasks.record import read_dated_record
from tasks.remote.local import call_local
from tasks.remote.nodes import node
from tasks.runs import brief_client, last_completed

ASK_SECONDS = 60.0
POOLS = ("watch", "data")
CHECK = "health-check"


@task(name="diagnose", cache_policy=NO_CACHE)
def diagnose(site: Site) -> Told:
    """Everything that is to be examined; what does not answer is left out."""
    seen = observe.fn(site)
    record, since = read_dated_record(site)
    bodies, clocks = ask_bodies(site, seen)
    checked, workers = ask_prefect()
    return Told(
        situation=Situation(site, record, seen, load_history(site), now(), since, load_pause(site)),
        bodies=bodies,
        clocks=clocks,
        drift=ask_drift(site),
        agents=ask_agents(site, record.holder),
        checked=checked,
        workers=workers,
        has_notifier=has_notifier(site),
    )


def ask_bodies(
    site: Site, seen: Mapping[str, Observation]
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """(machine -> its `diagnose`, node -> how far its clock is from T440's, seconds)."""
    watchdog = site.watchdog
    bodies = {watchdog.name: call_local(watchdog, "diagnose", seconds=ASK_SECONDS)}
    clocks: dict[str, float] = {}
    for name in site.nodes:
        if seen[name].ssh is not Ssh.OK:
            continue
        begun = time.time()
        try:
            bodies[name] = node(site, name).call("diagnose", seconds=ASK_SECONDS)
        except DualJoeError as error:
            get_run_logger().warning("%s: %s", name, error)
            continue
        clocks[name] = distance(float(bodies[name]["time"]), begun, time.time())
    return bodies, clocks


def distance(told: float, begun: float, ended: float) -> float:
    """How far a clock is off that was read between two moments; 0 when it may be right."""
    return told - ended if told > ended else min(told - begun, 0.0)


def ask_drift(site: Site) -> list[str] | None:
    """The settings in which the nodes differ; None when one of them does not tell."""
    try:
        return compare_settings.fn(site)
    except DualJoeError as error:
        get_run_logger().warning("the settings could not be compared: %s", error)
        return None


def ask_agents(site: Site, holder: str) -> dict[str, dict[str, Any]] | None:
    """The holder's agents with their files of memory."""
    try:
        agents: dict[str, dict[str, Any]] = node(site, holder).call(
            "memory list", seconds=ASK_SECONDS
        )["agents"]
    except DualJoeError as error:
        get_run_logger().warning("%s", error)
        return None
    return agents


def ask_prefect() -> tuple[float | None, dict[str, int] | None]:
    """(seconds since a check completed, pool -> its workers that are online); None without it."""
    try:
        with brief_client() as client:
            workers = {pool: count_online(client, pool) for pool in POOLS}
        last = last_completed(CHECK)
    except (httpx.HTTPError, RuntimeError) as error:
        get_run_logger().warning("Prefect does not answer: %s", error)
        return None, None
    checked = None if last is None else (datetime.now(UTC) - last).total_seconds()
    return checked, workers


def count_online(client: SyncPrefectClient, pool: str) -> int:
    """How many workers of a pool have been heard lately."""
    status = WorkerFilterStatus(any_=[WorkerStatus.ONLINE])
    try:
        return len(client.read_workers_for_work_pool(pool, WorkerFilter(status=status)))
    except ObjectNotFound:  # there is no such pool
        return 0


def has_notifier(site: Site) -> bool:
    """Whether there is an address to tell; it may lie in Prefect, which may not answer."""
    try:
        return bool(find_addresses(site))
    except (httpx.HTTPError, RuntimeError):
        return False
