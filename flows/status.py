"""One screen: who serves, why, and whether a failover would work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.decide import decide
from tasks.core.errors import DualJoeError
from tasks.core.site import Site
from tasks.core.situation import Situation, age, why_not_promotable
from tasks.core.state import Observation
from tasks.journal import load_history, now
from tasks.observe import observe
from tasks.record import read_record
from tasks.remote.local import call_local
from tasks.remote.nodes import node
from tasks.sites import DEFAULT_SITE, load_site

LIST_SECONDS = 30.0


@flow(name="status", flow_run_name="Status")
def status(site_file: Path = DEFAULT_SITE) -> str:
    """Say who serves, who lends votes, how old memory and backups are, and who could take over.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    seen = observe(site)
    situation = Situation(site, read_record(site), seen, load_history(site), now())
    votes = read_votes(site)
    text = describe(situation, votes, {name: list_stores(site, name) for name in site.nodes})
    create_markdown_artifact(
        key=f"{site.site}-status", markdown=text, description=decide(situation).reason
    )
    get_run_logger().info("\n%s", text)
    return text


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


def describe(s: Situation, votes: list[str], stores: dict[str, dict[str, Any]]) -> str:
    """The screen, as markdown that reads well as plain text, too."""
    other = s.other.node
    why = why_not_promotable(s, s.other)
    verdict = f"no: {why}" if why else "yes"
    lines = [
        f"# {decide(s).reason}",
        "",
        f"- record: epoch {s.record.epoch} for {s.record.holder}, preferred is {s.site.preferred}",
        f"- could {other} take over now: {verdict}",
        *(f"- {describe_node(s, seen)}" for seen in s.observations.values()),
        *(f"- {vote}" for vote in votes),
        f"- failback: {'latched until acknowledged' if s.history.latched else s.site.failback}",
        "",
        "| store | " + " | ".join(stores) + " |",
        "|---" * (len(stores) + 1) + "|",
        *store_rows(stores),
    ]
    return "\n".join(lines) + "\n"


def describe_node(s: Situation, seen: Observation) -> str:
    """A node in one line."""
    detail = f" ({seen.detail})" if seen.detail else ""
    memory = seen.memory_age_seconds
    taken = f", memory taken over {age(memory)} ago" if memory is not None else ""
    return f"{seen.node}: {s.standing(seen)}, ssh {seen.ssh}, healthz {seen.healthz}{taken}{detail}"


def store_rows(stores: dict[str, dict[str, Any]]) -> list[str]:
    """The age of the newest verified snapshot of every store on every node."""
    names = sorted({store for found in stores.values() for store in found})
    return [
        f"| {store} | " + " | ".join(cell(found.get(store)) for found in stores.values()) + " |"
        for store in names
    ]


def cell(store: dict[str, Any] | None) -> str:
    seconds = (store or {}).get("age_seconds")
    return "none" if seconds is None else f"{age(seconds)} old, {len((store or {})['snapshots'])}"
