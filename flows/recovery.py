"""What a person orders: switchover, failback, force-failover, acknowledge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from prefect import flow

from flows.failure_handling import Action, Moved, Order, move
from flows.limits import within
from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.core.state import Record
from tasks.journal import check_lock, load_history, save_history
from tasks.notify import alert
from tasks.pause import with_pause
from tasks.record import read_record
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site

DrainSeconds = Annotated[float, within(1, 600, "s")]


@flow(name="switchover", flow_run_name="Switchover to the other node")
def switchover(drain_seconds: DrainSeconds = 60, site_file: Path = DEFAULT_SITE) -> Moved:
    """Move Joe to the other node, planned: memory first, nothing is lost, or it is not made.

    Args:
        drain_seconds: a running agent may take so long to finish, 1 to 600 s.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    to = site.other(record.holder)
    return ordered(site, record, Action.SWITCHOVER, to, drain_seconds)


@flow(name="failback", flow_run_name="Failback to the preferred node")
def failback(drain_seconds: DrainSeconds = 60, site_file: Path = DEFAULT_SITE) -> Moved:
    """Move Joe back to the preferred node now, memory first.

    Args:
        drain_seconds: a running agent may take so long to finish, 1 to 600 s.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    if record.holder == site.preferred:
        raise Refused(f"{site.preferred} is the holder already: there is nothing to fail back")
    return ordered(site, record, Action.FAILBACK, site.preferred, drain_seconds)


@flow(name="force-failover", flow_run_name="Force a failover")
def force_failover(confirm: str, site_file: Path = DEFAULT_SITE) -> Moved:
    """Move Joe although it may cost something: memory that was not synced stays behind on the old
    holder's disk until it returns, and the new one may start with memory that is old.

    Args:
        confirm: the name of the node to move to, typed out.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    to = site.other(record.holder)
    if confirm != to:
        raise Refused(
            f'nothing was done: to move Joe from {record.holder} to {to}, type confirm="{to}";'
            f" what {record.holder} wrote since the last sync stays on its disk until it returns"
        )
    return ordered(site, record, Action.FORCE_FAILOVER, to, site.times.kill_budget_seconds)


@flow(name="acknowledge", flow_run_name="Acknowledge")
def acknowledge(site_file: Path = DEFAULT_SITE) -> str:
    """Clear the latch that two failovers within an hour set: failback is automatic again.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    with check_lock(site):
        history = load_history(site)
        save_history(site, replace(history, latched=False, failovers=()))
    told = "the latch is cleared" if history.latched else "there was no latch to clear"
    alert(site, Level.OK, f"Acknowledged: {told}")
    return told


def ordered(site: Site, record: Record, action: Action, to: str, drain_seconds: float) -> Moved:
    """A move by hand, named by what it does; a pause does not hold it back, but is told."""
    reason = with_pause(site, f"{action.value.capitalize()} to {to} by hand")
    rename_run(reason)
    return move(site, Order(action, record, to, reason, drain_seconds))
