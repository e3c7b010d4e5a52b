"""The steps of a backup: stage on T440, pull on the receiver. A tier pulls, always."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from tasks.core.errors import DualJoeError, Refused
from tasks.core.site import Site
from tasks.deadline import check
from tasks.progress import pull_progress
from tasks.remote.local import call_local
from tasks.remote.nodes import node

PRIMARY_TIER = "primary"
DR_TIER = "dr"
CONNECT_SECONDS = 15.0
STEP_SECONDS = 120.0
DRILL_SECONDS = 3 * 3600.0


def store_of(source: str) -> str:
    """The store of a source's backups, the same name on both tiers."""
    return f"backup/{source}"


@task(name="stage", task_run_name="stage-{source}", retries=1, cache_policy=NO_CACHE)
def stage(site: Site, source: str, site_file: Path) -> dict[str, Any]:
    """Make a consistent copy of a source on T440: files, and databases by the backup API.

    Of T440 itself the site file comes along.
    """
    order: dict[str, Any] = {"source": source}
    if source == site.watchdog.name:
        order["texts"] = {"site.yaml": site_file.read_text()}
    staged = call_local(site.watchdog, "store stage", order, seconds=STEP_SECONDS)
    get_run_logger().info(
        "%s: %s files, %s bytes, %s databases, %s s",
        *(source, staged["files"], staged["bytes"], staged["databases"], staged["seconds"]),
    )
    if staged["after"]:
        get_run_logger().error("%s: its after command failed: %s", source, staged["after"])
    return staged


@contextmanager
def connecting(site: Site, receiver: str, peer: str) -> Iterator[None]:
    """Meanwhile the receiver opens the connection over which it will pull: half of a small pull.

    When it cannot, the pull tries again, and says why.
    """

    def connect() -> None:
        with contextlib.suppress(DualJoeError):
            node(site, receiver).call("peer connect", {"peer": peer}, seconds=CONNECT_SECONDS)

    thread = threading.Thread(target=connect, name="connect", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether it may go otherwise when it is tried again: what was refused is refused again."""
    return not isinstance(state.data, Refused)


@task(
    name="pull-backup",
    task_run_name="pull-{source}-to-{receiver}",
    retries=2,
    retry_delay_seconds=2,
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
)
def pull_backup(
    site: Site,
    source: str,
    peer: str,
    receiver: str,
    export: str,
    told: dict[str, Any],
    epoch: int,
    tier: str,
) -> dict[str, Any]:
    """Copy one export of machine `peer` to the receiver, verify what came, and make it the newest
    snapshot there, or refuse it.

    `told`: its {bytes, files}; of what was staged its {state, since, touched, gone} as well: of a
    copy that the receiver has, only the change comes. The source after it comes over the same
    connection. Raises Refused, when there is no room as well.
    """
    seconds = site.times.pull_limit_seconds
    publish = {"origin": peer, "epoch": epoch, "tier": tier}
    order: dict[str, Any] = {
        "store": store_of(source),
        "peer": peer,
        "parts": {"": f"{export}/tree"},
        "check": f"{export}/manifest.json",
        "size": {key: told[key] for key in ("bytes", "files")},
        "kept": True,
        "deadline_seconds": seconds,
        "publish": publish,
    }
    if "state" in told:
        order["states"] = {"": told["state"]}
        order |= {key: told[key] for key in ("since", "touched", "gone")}
    with pull_progress(site, receiver, store_of(source), told["bytes"]):
        pulled = node(site, receiver).call("store pull", order, seconds=seconds + 2 * STEP_SECONDS)
    published = pulled.get("published")
    if published is None:  # in the middle of an update: an earlier version does each by itself
        by_itself = {"store": order["store"], **publish}
        published = node(site, receiver).call("store publish", by_itself, seconds=STEP_SECONDS)
    same = "unchanged since" if published["unchanged"] else "published as"
    get_run_logger().info("%s: %s", source, describe_pull(pulled))
    get_run_logger().info("%s: %s files, %s %s", source, published["files"], same, published["id"])
    return pulled


def describe_pull(pulled: dict[str, Any]) -> str:
    """What a pull looked at, and what came."""
    if not pulled["passes"]:
        return f"{pulled['files']} files as they were, nothing to pull"
    named = pulled.get("named", 0)
    looked_at = f"{named} paths that changed" if named else "everything"
    return f"{pulled['changed']} files, links and folders came, {looked_at} looked at"


@task(name="newest-backup", task_run_name="newest-{source}-on-{holder}", cache_policy=NO_CACHE)
def newest_backup(site: Site, source: str, holder: str) -> dict[str, Any] | None:
    """{id, time, origin, ...} of the newest verified snapshot of a source on a tier, or None."""
    store = store_of(source)
    listed = node(site, holder).call("store list", {"store": store}, seconds=STEP_SECONDS)
    found = listed["stores"][store]
    same = (one for one in found["snapshots"] if one["id"] == found["current"])
    return next(same, None)


def choose_backup(
    source: str, primary: dict[str, Any] | None, dr: dict[str, Any] | None, watchdog: str
) -> dict[str, Any] | None:
    """What of the primary tier the DR tier shall copy; None when it has a newer one.

    It has, when the primary tier was away while T440 backed up to the DR tier directly: what is
    older must not be published over it. Raises Refused when the primary tier has no backup at all.
    """
    if primary is None:
        raise Refused(f"the primary tier has no verified backup of {source} yet")
    if dr and dr["origin"] == watchdog and dr["time"] > primary["time"]:
        return None
    return primary


@task(name="drill", task_run_name="drill-{source}-on-{name}", cache_policy=NO_CACHE)
def drill_source(site: Site, source: str, name: str) -> dict[str, Any]:
    """Rehearse the restore of a source's newest backup on a node. Raises Refused or Failed."""
    order = {"store": store_of(source)}
    result = node(site, name).call("store drill", order, seconds=DRILL_SECONDS)
    get_run_logger().info(
        "%s: %s files, %s bytes, %s databases, %s wrong, %s s",
        *(source, result["files"], result["bytes"], result["databases"]),
        *(len(result["wrong"]), result["seconds"]),
    )
    for line in result["odd"]:
        get_run_logger().info("odd, and as it was: %s", line)
    return result


@task(name="restore-backup", task_run_name="restore-{source}-on-{name}", cache_policy=NO_CACHE)
def restore_source(site: Site, source: str, name: str, order: dict[str, Any]) -> dict[str, Any]:
    """Bring a backup back on a node; `order` as `store restore` wants it. Raises Refused."""
    check()
    words = {"store": store_of(source), **order}
    return node(site, name).call("store restore", words, seconds=DRILL_SECONDS)
