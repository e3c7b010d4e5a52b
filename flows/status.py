"""One screen: who serves, why, and whether a failover would work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.coverage import covered
from tasks.core.decide import decide
from tasks.core.errors import DualJoeError
from tasks.core.screen import Asked, describe
from tasks.core.site import Site
from tasks.core.situation import Situation
from tasks.journal import load_history, now
from tasks.observe import observe
from tasks.pause import load_pause
from tasks.record import read_dated_record
from tasks.remote.local import call_local
from tasks.remote.nodes import node
from tasks.screen import show
from tasks.sites import DEFAULT_SITE, load_site

LIST_SECONDS = 30.0


@flow(name="status", flow_run_name="Status")
def status(site_file: Path = DEFAULT_SITE) -> str:
    """Say who serves since when, who lends votes, whose memory is carried, how old memory and
    backups are, what is held back, and why the other node could or could not take over.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    seen = observe(site)
    record, since = read_dated_record(site)
    situation = Situation(site, record, seen, load_history(site), now(), since, load_pause(site))
    reason = decide(situation).reason
    stores = {name: list_stores(site, name) for name in site.nodes}
    asked = Asked(tuple(read_votes(site)), stores, read_coverage(site, record.holder))
    screen = describe(situation, reason, asked)
    get_run_logger().info("\n%s", screen)
    show(site, describe(situation, reason), screen, reason)
    return screen


@task(name="read-votes", cache_policy=NO_CACHE)
def read_votes(site: Site) -> list[str]:
    """A sentence a machine: to whom it lends its vote and for how long, and what its guard says."""
    seconds = site.times.probe_seconds
    words = {site.watchdog.name: call_local(site.watchdog, "observe", seconds=LIST_SECONDS)}
    for name in site.nodes:
        try:
            words[name] = node(site, name).call("observe", seconds=seconds)
        except DualJoeError as error:
            get_run_logger().warning("%s", error)
    return [describe_vote(name, word) for name, word in words.items()]


def describe_vote(name: str, word: dict[str, Any]) -> str:
    """One machine's vote, and its guard's state with the reason."""
    lent, guard = word.get("lent"), word.get("guard")
    vote = f"lends its vote to {lent['to']} for {lent['left']:.0f} s" if lent else "lends no vote"
    if not guard:
        return f"{name} {vote}"
    why = f" ({guard['why']})" if guard["why"] else ""
    return f"{name} {vote}; its guard says {guard['state']}{why}, term {guard['term_left']:.0f} s"


@task(name="read-coverage", cache_policy=NO_CACHE)
def read_coverage(site: Site, holder: str) -> str:
    """Whose memory a sync carries now, in words; "" when the holder does not answer."""
    try:
        return covered(node(site, holder).call("memory list", seconds=LIST_SECONDS)["agents"])
    except DualJoeError as error:
        get_run_logger().warning("%s", error)
        return ""


@task(name="list-stores", task_run_name="list-stores-{name}", cache_policy=NO_CACHE)
def list_stores(site: Site, name: str) -> dict[str, Any]:
    """Store -> {age_seconds, ...} of a node; {} when it does not answer."""
    try:
        answer = node(site, name).call("store list", seconds=LIST_SECONDS)
    except DualJoeError as error:
        get_run_logger().warning("%s", error)
        return {}
    stores: dict[str, Any] = answer["stores"]
    return stores
