"""The steps of a backup: stage on T440, pull and publish on the receiver. A tier pulls, always."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.deadline import check
from tasks.progress import pull_progress
from tasks.remote.local import call_local
from tasks.remote.nodes import node

PRIMARY_TIER = "primary"
DR_TIER = "dr"
STEP_SECONDS = 120.0
DRILL_SECONDS = 3 * 3600.0


def store_of(container: str) -> str:
    """The store of a container's backups, the same name on both tiers."""
    return f"backup/{container}"


@task(name="stage", task_run_name="stage-{container}", retries=1, cache_policy=NO_CACHE)
def stage(site: Site, container: str) -> dict[str, Any]:
    """Make a consistent copy of a container on T440: files, and databases by the backup API."""
    order = {"source": container}
    staged = call_local(site.watchdog, "store stage", order, seconds=STEP_SECONDS)
    get_run_logger().info(
        "%s: %s files, %s bytes, %s databases, %s s",
        *(container, staged["files"], staged["bytes"], staged["databases"], staged["seconds"]),
    )
    if staged["after"]:
        get_run_logger().error("%s: its after command failed: %s", container, staged["after"])
    return staged


@task(
    name="pull-backup",
    task_run_name="pull-{container}-to-{receiver}",
    retries=2,
    retry_delay_seconds=2,
    cache_policy=NO_CACHE,
)
def pull_backup(
    site: Site, container: str, source: str, receiver: str, export: str, size: dict[str, Any]
) -> dict[str, Any]:
    """Copy one export of `source` into the receiver's .incoming, with its manifest.

    `size`: its {bytes, files}. Raises Refused when there is no room.
    """
    seconds = site.times.pull_limit_seconds
    order = {
        "store": store_of(container),
        "peer": source,
        "parts": {"": f"{export}/tree"},
        "check": f"{export}/manifest.json",
        "size": {"bytes": size["bytes"], "files": size["files"]},
        "deadline_seconds": seconds,
    }
    with pull_progress(site, receiver, store_of(container), size["bytes"]):
        return node(site, receiver).call("store pull", order, seconds=seconds + STEP_SECONDS)


@task(
    name="publish-backup", task_run_name="publish-{container}-on-{receiver}", cache_policy=NO_CACHE
)
def publish_backup(
    site: Site, container: str, source: str, receiver: str, epoch: int, tier: str
) -> dict[str, Any]:
    """Verify what came, and make it the receiver's newest snapshot, or refuse it."""
    order = {"store": store_of(container), "origin": source, "epoch": epoch, "tier": tier}
    published = node(site, receiver).call("store publish", order, seconds=STEP_SECONDS)
    same = "unchanged since" if published["unchanged"] else "published as"
    get_run_logger().info(
        "%s: %s files, %s %s", container, published["files"], same, published["id"]
    )
    return published


@task(name="newest-backup", task_run_name="newest-{container}-on-{holder}", cache_policy=NO_CACHE)
def newest_backup(site: Site, container: str, holder: str) -> dict[str, Any] | None:
    """{id, time, origin, ...} of the newest verified snapshot of a container on a tier, or None."""
    store = store_of(container)
    listed = node(site, holder).call("store list", {"store": store}, seconds=STEP_SECONDS)
    found = listed["stores"][store]
    same = (one for one in found["snapshots"] if one["id"] == found["current"])
    return next(same, None)


def choose_backup(
    container: str, source: dict[str, Any] | None, receiver: dict[str, Any] | None, watchdog: str
) -> dict[str, Any] | None:
    """What of the primary tier the DR tier shall copy; None when it has a newer one.

    It has, when the primary tier was away while T440 backed up to the DR tier directly: what is
    older must not be published over it. Raises Refused when the primary tier has no backup at all.
    """
    if source is None:
        raise Refused(f"the primary tier has no verified backup of {container} yet")
    if receiver and receiver["origin"] == watchdog and receiver["time"] > source["time"]:
        return None
    return source


@task(name="drill", task_run_name="drill-{container}-on-{name}", cache_policy=NO_CACHE)
def drill_container(site: Site, container: str, name: str) -> dict[str, Any]:
    """Rehearse the restore of a container's newest backup on a node. Raises Refused or Failed."""
    order = {"store": store_of(container)}
    result = node(site, name).call("store drill", order, seconds=DRILL_SECONDS)
    get_run_logger().info(
        "%s: %s files, %s bytes, %s databases, %s wrong, %s s",
        *(container, result["files"], result["bytes"], result["databases"]),
        *(len(result["wrong"]), result["seconds"]),
    )
    for line in result["odd"]:
        get_run_logger().info("odd, and as it was: %s", line)
    return result


@task(name="restore-backup", task_run_name="restore-{container}-on-{name}", cache_policy=NO_CACHE)
def restore_container(
    site: Site, container: str, name: str, order: dict[str, Any]
) -> dict[str, Any]:
    """Bring a backup back on a node; `order` as `store restore` wants it. Raises Refused."""
    check()
    words = {"store": store_of(container), **order}
    return node(site, name).call("store restore", words, seconds=DRILL_SECONDS)
