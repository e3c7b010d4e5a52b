"""Hourly: T440's containers, and what T440 itself is, to the primary tier at :00, from there to the
DR tier at :30.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.backup import (
    DR_TIER,
    PRIMARY_TIER,
    choose_backup,
    connecting,
    newest_backup,
    pull_backup,
    stage,
    store_of,
)
from tasks.core.errors import DualJoeError, Refused, RemoteError
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.notify import alert
from tasks.record import read_record
from tasks.refusals import note_refusal, note_taken
from tasks.remote.nodes import node
from tasks.runs import is_newer_due, rename_run
from tasks.sites import DEFAULT_SITE, load_site
from tasks.tiers import show_tiers
from tasks.told import exchange


@flow(name="backup-primary-tier")
def backup_primary_tier(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Back up T440's containers and T440 itself to the primary tier, or to the DR tier while the
    primary is away.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_newer_due():
        return Completed(name="Skipped", message="a newer backup is due already")
    receiver, why = first_reachable(site, (site.preferred, site.other(site.preferred)))
    if not receiver:
        rename_run(f"Skipped: {why}")
        return Failed(message=f"no copy was made: {why}")
    epoch, watchdog = read_record(site).epoch, site.watchdog.name

    def back_up(source: str) -> None:
        staged = stage(site, source, site_file)
        tell_after(site, source, staged["after"])
        export = f"stage/{source}"
        pull_backup(site, source, watchdog, receiver, export, staged, epoch, PRIMARY_TIER)

    with connecting(site, receiver, watchdog):
        return each_source(site, f"T440 to {receiver}", why, back_up)


@flow(name="backup-dr-tier")
def backup_dr_tier(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Copy the primary tier's newest verified backups to the DR tier.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_newer_due():
        return Completed(name="Skipped", message="a newer backup is due already")
    primary, receiver = site.preferred, site.other(site.preferred)
    for name in (primary, receiver):
        if why := why_unreachable(site, name):
            rename_run(f"Skipped: {why}")
            return Completed(name="Skipped", message=why)
    epoch = read_record(site).epoch

    def back_up(source: str) -> None:
        newest, theirs = (newest_backup(site, source, name) for name in (primary, receiver))
        chosen = choose_backup(source, newest, theirs, site.watchdog.name)
        if chosen is None:
            get_run_logger().info("%s: %s has a newer one from T440 itself", source, receiver)
            return
        export = f"store/{store_of(source)}/{chosen['id']}"
        pull_backup(site, source, primary, receiver, export, chosen, epoch, DR_TIER)

    with connecting(site, receiver, primary):
        return each_source(site, f"{primary} to {receiver}", "", back_up)


def tell_after(site: Site, source: str, why: str) -> None:
    """What the `after` command should have started again may be down: a person is told once."""
    lines = [why] if why else []
    before = exchange(site, f"after command of {source}", lines)
    if why and not before:
        text = f"{source} was backed up, but its after command failed: {why}; is it running?"
        alert(site, Level.CRITICAL, text)
    elif before and not why:
        alert(site, Level.OK, f"The after command of {source} works again")


def each_source(site: Site, route: str, remark: str, back_up: Callable[[str], None]) -> State[Any]:
    """Back up every source; one that fails is named and does not keep the others from it."""
    failed = {}
    for source in site.sources:
        what = f"Backup of {source}, {route},"
        try:
            back_up(source)
            note_taken(site, what)
        except DualJoeError as error:
            if isinstance(error, Refused):
                note_refusal(site, what, str(error))
            failed[source] = str(error)
            get_run_logger().error("%s: %s", source, error)
    done = len(site.sources) - len(failed)
    text = f"{route}: {done} of {len(site.sources)} sources"
    rename_run(f"{text} ({remark})" if remark else text)
    show_tiers(site)
    if failed:
        return Failed(message="; ".join(f"{name}: {why}" for name, why in failed.items()))
    return Completed(message=text)


def first_reachable(site: Site, names: tuple[str, ...]) -> tuple[str, str]:
    """(first node that answers or "", why the ones before it were passed over)."""
    reasons: list[str] = []
    for name in names:
        why = why_unreachable(site, name)
        if not why:
            return name, "; ".join(reasons)
        reasons.append(why)
    return "", "; ".join(reasons)


def why_unreachable(site: Site, name: str) -> str:
    """ "" when the node answers, else the reason in words."""
    try:
        node(site, name).call("observe", seconds=site.times.probe_seconds)
    except RemoteError as error:
        return str(error)
    return ""
