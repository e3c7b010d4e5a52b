"""The steps of a memory sync, each ordered by T440 and done by the receiver, node to node."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.coverage import covered
from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.deadline import check
from tasks.progress import pull_progress
from tasks.remote.nodes import node

STORE = "memory"
STEP_SECONDS = 60.0
RECOVERED = "/memory/recovered/"  # where `store apply` puts the version that is not live


@task(name="find-memory", retries=2, retry_delay_seconds=1, cache_policy=NO_CACHE)
def find_memory(site: Site, source: str) -> dict[str, Any]:
    """The agents of a node and how many files of memory each has."""
    found = node(site, source).call("memory list", seconds=STEP_SECONDS)
    told = covered(found["agents"])
    get_run_logger().info("%s: %s files of memory: %s", source, found["files"], told)
    return found


@task(name="find-base", retries=2, retry_delay_seconds=1, cache_policy=NO_CACHE)
def find_base(site: Site, source: str, receiver: str, seconds: float) -> dict[str, Any]:
    """What both nodes had last, as `store apply` wants it: {} or {base, base_without}.

    While roles stay the receiver knows it itself: what it last took in from the source. After a
    change of roles it is what the source last took in from the receiver, and is fetched from there.
    The higher epoch is the later one: at one epoch memory travels one way only.
    """
    mine = node(site, receiver).call("memory base", {"of": source}, seconds=STEP_SECONDS)
    theirs = node(site, source).call("memory base", {"of": receiver}, seconds=STEP_SECONDS)
    if not theirs["snapshot"] or (theirs["epoch"] or 0) <= (mine["epoch"] or 0):
        return {}
    order = {
        "store": STORE,
        "peer": source,
        "snapshot": theirs["snapshot"],
        "pin": f"fork-{theirs['epoch']}",
        "deadline_seconds": seconds,
    }
    node(site, receiver).call("store fetch", order, seconds=seconds + STEP_SECONDS)
    return {"base": theirs["snapshot"], "base_without": theirs["without"]}


@task(name="pull-memory", retries=2, retry_delay_seconds=2, cache_policy=NO_CACHE)
def pull_memory(
    site: Site,
    source: str,
    receiver: str,
    found: dict[str, Any],
    seconds: float,
    kept: bool = False,
) -> dict[str, Any]:
    """Copy what `find_memory` found into the receiver's .incoming; nothing live is touched.

    The source's openclaw.json, too: it is kept with the snapshot and never applied. With `kept` the
    receiver may use a connection of an earlier pull. Raises Refused when there is no room.
    """
    check()
    agents = [name for name, agent in found["agents"].items() if agent["files"]]
    order = {
        "store": STORE,
        "peer": source,
        "parts": {agent: f"memory/{agent}" for agent in agents},
        "memory": True,
        "settings": found["settings"],
        "size": {"bytes": found["bytes"], "files": found["files"]},
        "states": found.get("states", {}),  # an older joe.pyz tells none
        "kept": kept,
        "deadline_seconds": seconds,
    }
    with pull_progress(site, receiver, STORE, found["bytes"]):
        pulled = node(site, receiver).call("store pull", order, seconds=seconds + STEP_SECONDS)
    get_run_logger().info(
        "%(files)s files, %(bytes)s bytes, %(changed)s changed, %(passes)s passes, %(seconds)s s",
        pulled,
    )
    return pulled


@task(name="validate-memory", cache_policy=NO_CACHE)
def validate_memory(site: Site, receiver: str) -> dict[str, Any]:
    """Check every file that came; a bad one is named with line, column and what was expected."""
    checked = node(site, receiver).call("store validate", {"store": STORE}, seconds=STEP_SECONDS)
    for fault in checked["bad"]:
        get_run_logger().warning(
            "%(path)s:%(line)s:%(column)s: %(message)s, expected %(expected)s", fault
        )
    return checked


@task(name="publish-memory", cache_policy=NO_CACHE)
def publish_memory(site: Site, source: str, receiver: str, epoch: int) -> dict[str, Any]:
    """Make what came the receiver's newest snapshot, or refuse it and keep the last good one."""
    check()
    order = {"store": STORE, "origin": source, "epoch": epoch, "tier": STORE}
    published = node(site, receiver).call("store publish", order, seconds=STEP_SECONDS)
    same = "unchanged since" if published["unchanged"] else "published as"
    get_run_logger().info("%s files, %s %s", published["files"], same, published["id"])
    for path, why in published["held"].items():
        get_run_logger().warning("held at its last good version: %s: %s", path, why)
    return published


@task(name="apply-memory", cache_policy=NO_CACHE)
def apply_memory(
    site: Site, source: str, receiver: str, snapshot: str, base: dict[str, Any]
) -> dict[str, Any]:
    """Merge a snapshot into the receiver's live workspaces; its gateway must not run."""
    check()
    order = {"store": STORE, "snapshot": snapshot, "peer": source, **base}
    applied = node(site, receiver).call("store apply", order, seconds=STEP_SECONDS)
    for line in merge_lines(applied, source, receiver):
        get_run_logger().warning("%s", line)
    return applied


def merge_lines(applied: dict[str, Any], source: str, receiver: str) -> list[str]:
    """Every file that was not simply taken, a sentence each."""
    lines = [f"{path}: {receiver}'s end was appended" for path in applied["appended"]]
    lines += [
        f"{conflict['path']}: changed on both; {source}'s is live, {receiver}'s is kept as"
        f" {conflict['copy']}"
        for conflict in applied["conflicts"]
    ]
    lines += [
        f"{path}: only {receiver} has it, kept"
        for path in applied["kept_own"]
        if RECOVERED not in path  # told when the copy was made
    ]
    return lines + [f"{fault['path']}: not touched: {fault['why']}" for fault in applied["refused"]]


@task(name="find-snapshot", cache_policy=NO_CACHE)
def find_snapshot(site: Site, wanted: str, first: str) -> tuple[str, str]:
    """(node, id) of a snapshot of memory; `wanted` "" is the newest of node `first`.

    Raises Refused when there is none, with the newest that there are.
    """
    known: list[str] = []
    for name in (first, site.other(first)):
        listed = node(site, name).call("store list", {"store": STORE}, seconds=STEP_SECONDS)
        ids = [str(one["id"]) for one in listed["stores"][STORE]["snapshots"]]
        if wanted in ids or (not wanted and ids):
            return name, wanted or str(listed["stores"][STORE]["current"] or ids[-1])
        known += ids
    raise Refused(f"there is no snapshot {wanted}; the newest are {', '.join(sorted(known)[-5:])}")


@task(name="fetch-snapshot", cache_policy=NO_CACHE)
def fetch_snapshot(site: Site, receiver: str, peer: str, snapshot: str, seconds: float) -> None:
    """Bring one snapshot, verified and pinned, from the store of one node into the other's."""
    order = {
        "store": STORE,
        "peer": peer,
        "snapshot": snapshot,
        "pin": "restore",
        "deadline_seconds": seconds,
    }
    node(site, receiver).call("store fetch", order, seconds=seconds + STEP_SECONDS)


@task(name="restore-memory", cache_policy=NO_CACHE)
def restore_files(
    site: Site, name: str, snapshot: str, only: str, target: str, dry_run: bool
) -> dict[str, Any]:
    """Bring files of a snapshot back on a node, or say what that would change."""
    check()
    order: dict[str, Any] = {"snapshot": snapshot, "only": only, "dry_run": dry_run}
    if target:
        order["target"] = target
    restored = node(site, name).call("memory restore", order, seconds=STEP_SECONDS)
    for fault in restored["refused"]:
        get_run_logger().warning("%(path)s: not touched: %(why)s", fault)
    return restored
