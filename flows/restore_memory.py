"""By hand: bring memory back from a snapshot, to the serving node or to a folder beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.memory_sync import sync
from tasks.core.errors import DualJoeError, Refused, StaleRecord
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.core.state import Record
from tasks.deadline import allow
from tasks.drain import drained
from tasks.journal import move_lock
from tasks.memory import fetch_snapshot, find_snapshot, restore_files
from tasks.notify import alert
from tasks.record import read_record
from tasks.refusals import accept_rejected, list_rejected
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site

REST_SECONDS = 120.0


@flow(name="restore-memory", flow_run_name="Restore memory")
def restore_memory(
    snapshot: str = "",
    only: str = "",
    target: str = "",
    dry_run: bool = True,
    site_file: Path = DEFAULT_SITE,
) -> str:
    """Bring back one file, one agent or all memory of a snapshot; without dry_run=False it only
    shows what that would change.

    On the serving node Joe pauses for it: his work is drained as before a move, his memory is
    synced and kept in a pinned snapshot, and he starts again. What is newer than the snapshot and
    not in it stays.

    Args:
        snapshot: the id of a snapshot; empty for the newest one that the other node has.
        only: an agent, or one of its files or folders as agent/path; empty for all.
        target: an absolute path of an empty folder on the node that has the snapshot; empty for the
            live memory of the serving node.
        dry_run: change nothing, show the diff.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    where, found = find_snapshot(site, snapshot, site.other(record.holder))
    name = where if target else record.holder
    if name != where:
        fetch_snapshot(site, name, where, found, site.times.pull_limit_seconds)
    if dry_run or target:
        told = restore_files(site, name, found, only, target, dry_run)
    else:
        told = restore_live(site, record, found, only)
    text = describe(told, found, name, target, dry_run)
    rename_run(text)
    report(site, text, told)
    if not dry_run:
        alert(site, Level.OK, text)
    return text


def restore_live(site: Site, record: Record, snapshot: str, only: str) -> dict[str, Any]:
    """Drain, sync, restore, and let Joe go on; then the other node takes over what was restored.

    Raises MoveHeld while a move is under way, StaleRecord after one, Refused when the agent does
    not end its work.
    """
    times, other = site.times, site.other(record.holder)
    with move_lock(site):  # checks see a move, and wait
        if read_record(site) != record:
            raise StaleRecord(f"the record is no longer {tuple(record)}: look again")
        allow(times.drain_limit_seconds + times.final_sync_limit_seconds + REST_SECONDS)
        with drained(site, record, times.drain_limit_seconds):
            try:
                sync(site, record.holder, other, record.epoch, times.final_sync_limit_seconds)
            except DualJoeError as error:  # the pinned snapshot on the holder has it, too
                get_run_logger().warning("no last sync before the restore: %s", error)
            told = restore_files(site, record.holder, snapshot, only, "", False)
    take_over(site, record, snapshot)
    return told


def take_over(site: Site, record: Record, snapshot: str) -> None:
    """Sync what was restored; that much changed at once is right this time, and is accepted."""
    other, limit = site.other(record.holder), site.times.pull_limit_seconds
    allow(2 * limit + REST_SECONDS)
    before = {one.snapshot for one in list_rejected(site)}
    try:
        sync(site, record.holder, other, record.epoch, limit)
    except Refused as error:
        new = [one for one in list_rejected(site) if one.snapshot not in before]
        if not new:
            raise
        get_run_logger().warning("%s", error)
        accept_rejected(site, new[-1], f"restored from {snapshot} by hand")
        sync(site, record.holder, other, record.epoch, limit)
    except DualJoeError as error:
        get_run_logger().warning("the other node takes it over with the next sync: %s", error)


def describe(told: dict[str, Any], snapshot: str, name: str, target: str, dry_run: bool) -> str:
    """What was done, or would be, in one sentence."""
    place = target or "live memory"
    done = "Would restore" if dry_run else "Restored"
    kept = f"; what was there is kept as {told['own']}" if told["own"] else ""
    refused = f"; {len(told['refused'])} not touched" if told["refused"] else ""
    files = f"{told['changed']} of {told['files']} files"
    return f"{done} {files} of {snapshot} to {place} on {name}{kept}{refused}"


def report(site: Site, text: str, told: dict[str, Any]) -> None:
    """The diffs as an artifact, and what was left alone."""
    parts = [f"# {text}"]
    for change in told["changes"]:
        parts.append(f"## {change['path']}")
        if change["diff"]:
            parts.append(f"````diff\n{change['diff']}\n````")
    parts += [f"- {fault['path']}: not touched: {fault['why']}" for fault in told["refused"]]
    markdown = "\n\n".join(parts) + "\n"
    create_markdown_artifact(key=f"{site.site}-restore", markdown=markdown, description=text)
