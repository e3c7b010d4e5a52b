"""By hand: pause what checks do by themselves, or put one node into maintenance; and resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from flows.limits import long, within
from tasks.core.errors import Refused
from tasks.core.pause import Pause, effect
from tasks.core.situation import Level
from tasks.journal import boot_id, check_lock, is_moving, now
from tasks.notify import alert
from tasks.pause import load_pause, read_pause, remove_pause, save_pause
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site

Reason = Annotated[str, long(3, 500)]
Hours = Annotated[float, within(0.1, 168, "h")]
By = Annotated[str, long(0, 60)]


@flow(name="pause", flow_run_name="Pause")
def pause(
    reason: Reason, hours: Hours = 4, node: str = "", by: By = "", site_file: Path = DEFAULT_SITE
) -> str:
    """Keep checks from moving Joe by themselves for a while; they go on watching and reporting.

    It replaces a pause that there is, ends by itself, and a person is reminded daily. What people
    order is done nevertheless.

    Args:
        reason: why, for everyone who reads the status; 3 to 500 characters.
        hours: it ends by itself after so long, 0.1 to 168 h.
        node: the node that is in maintenance: as the standby it may be away without being a
            failure, and nothing moves to it or away from it. Empty: the whole site is paused.
        by: who pauses, for the others.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if node not in ("", *site.nodes):
        raise Refused(f"there is no node {node!r}: it is {' or '.join(site.nodes)}, or empty")
    begun, why, who = now(), " ".join(reason.split()), " ".join(by.split())
    wanted = Pause(why, hours * 3600, begun, boot_id(), node, who, told_wall=begun.wall)
    with check_lock(site):
        before = load_pause(site)
        is_new = before is None or before.said != wanted.said
        if is_new:  # the same again, to the minute, leaves all as it is
            save_pause(site, wanted)
    told = f"From now on {wanted.said}: {effect(wanted)}"
    if is_moving(site):
        told += "; a move is under way and goes on to its end"
    if is_new:
        replaced = f" (instead of: {before.said})" if before is not None else ""
        alert(site, Level.OK, f"{told}{replaced}")
    rename_run(told)
    return told


@flow(name="resume", flow_run_name="Resume")
def resume(site_file: Path = DEFAULT_SITE) -> str:
    """End the pause or the maintenance now: checks move Joe again by themselves.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    with check_lock(site):
        before = read_pause(site)
        was_there = remove_pause(site)
    if not was_there:
        told = "Nothing was paused"
    elif before is None:
        told = "Resumed, checks move Joe again; there was a pause that could not be read"
    else:
        told = f"Resumed, checks move Joe again; it was: {before.said}"
    rename_run(told)
    if was_there:
        alert(site, Level.OK, told)
    return told
