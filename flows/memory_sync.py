"""Every 5 min: carry the holder's memory to the other node, validated, and merge it in there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.core.coverage import covered
from tasks.core.errors import Refused, Unreachable
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.drift import report_drift
from tasks.journal import is_moving, sync_lock, write_journal
from tasks.memory import (
    apply_memory,
    find_base,
    find_memory,
    merge_lines,
    publish_memory,
    pull_memory,
    validate_memory,
)
from tasks.notify import alert
from tasks.record import read_record
from tasks.refusals import note_refusal, note_taken
from tasks.runs import is_newer_due, rename_run
from tasks.sites import DEFAULT_SITE, load_site
from tasks.told import news


@dataclass(frozen=True)
class Synced:
    """What one sync did: its snapshot, whose memory it covers, in words, and a sentence for every
    file that was not just taken.

    `empty`: a sentence for each workspace without memory; `is_news` when one of them is new.
    """

    snapshot: str
    covers: str
    bytes: int
    changed: int
    unusual: tuple[str, ...]
    empty: tuple[str, ...]
    is_news: bool


@flow(name="memory-sync")
def memory_sync(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Carry the serving node's memory to the other node: pull, validate, publish, apply.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_newer_due():
        return Completed(name="Skipped", message="a newer sync is due already")
    if is_moving(site):
        return Completed(name="Moving", message="a move is under way and takes the memory along")
    record = read_record(site)
    source, receiver = record.holder, site.other(record.holder)
    try:
        limit = site.times.pull_limit_seconds
        synced = sync(site, source, receiver, record.epoch, limit, kept=True)
    except Unreachable as error:
        rename_run(f"Skipped: {error.host} is unreachable")
        return Completed(name="Skipped", message=str(error))
    except Refused as error:
        rename_run(f"Refused: memory of {source}")
        note_refusal(site, f"Memory of {source}", str(error))
        raise
    note_taken(site, f"Memory of {source}")
    report_drift(site)
    text = f"{source} to {receiver}: {synced.covers}, {synced.changed} changed"
    rename_run(text)
    return final_state(synced, text)


def final_state(synced: Synced, text: str) -> State[Any]:
    """A workspace that matches nothing is no success: Failed when that is new, then Degraded.

    The others were carried all the same: their memory must not wait for a person.
    """
    if not synced.empty:
        return Completed(message=text)
    told = f"{text}; {'; '.join(synced.empty)}"
    return Failed(message=told) if synced.is_news else Completed(name="Degraded", message=told)


def sync(
    site: Site, source: str, receiver: str, epoch: int, seconds: float, kept: bool = False
) -> Synced:
    """One sync; `seconds` bound the copying. The live memory changes only in its last step.

    With `kept` over a connection that an earlier sync may have left: a move makes its own, which
    cannot be one whose other end is long gone.
    Raises Refused when the source shows no memory or the change looks like a loss, Unreachable when
    a node does not answer.
    """
    with sync_lock(site, seconds):  # the receiver has one .incoming
        return carry(site, source, receiver, epoch, seconds, kept)


def carry(site: Site, source: str, receiver: str, epoch: int, seconds: float, kept: bool) -> Synced:
    """The steps of a sync, in order."""
    found = find_memory(site, source)
    if not found["files"]:
        raise Refused(f"{source} shows no memory at all: nothing is taken over from it")
    empty, is_news = report_empty(site, source, found["agents"])
    base = find_base(site, source, receiver, seconds)
    pulled = pull_memory(site, source, receiver, found, seconds, kept)
    validate_memory(site, receiver)
    published = publish_memory(site, source, receiver, epoch)
    applied = apply_memory(site, source, receiver, published["id"], base)
    unusual = tuple(merge_lines(applied, source, receiver))
    report(site, source, receiver, unusual)
    return Synced(
        snapshot=published["id"],
        covers=covered(found["agents"]),
        bytes=published["bytes"],
        changed=pulled["changed"],
        unusual=unusual,
        empty=empty,
        is_news=is_news,
    )


def report_empty(
    site: Site, source: str, agents: dict[str, dict[str, Any]]
) -> tuple[tuple[str, ...], bool]:
    """Tell a person, once, of each workspace in which no file is memory; the others are carried.

    Returns a sentence for each of them, and whether one is new.
    """
    lines = [
        f"{name}: no file in {agent['workspace']} is memory: is that its workspace?"
        for name, agent in agents.items()
        if not agent["files"]
    ]
    new, _ = news(site, f"workspaces of {source} without memory", lines)
    if new:
        alert(site, Level.WARN, f"Memory of {source} is not complete: {'; '.join(new)}")
    return tuple(lines), bool(new)


def report(site: Site, source: str, receiver: str, lines: tuple[str, ...]) -> None:
    """Tell a person, once, of every file that was not simply taken."""
    new, _ = news(site, f"memory of {receiver} merged into that of {source}", lines)
    if not new:
        return
    write_journal(site, "merge", source=source, receiver=receiver, lines=new)
    text = f"Memory of {receiver} was merged into that of {source}: {len(new)} files of note"
    alert(site, Level.WARN, f"{text}: " + "; ".join(new[:5]))
    table = "\n".join(f"- {line}" for line in new)
    create_markdown_artifact(
        key=f"{site.site}-merge", markdown=f"# {text}\n\n{table}\n", description=text
    )
