"""Moves that a person orders: switchover, failback, force-failover."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.failure_handling import Action, Move, Moved, move
from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.core.state import Record
from tasks.record import read_record
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site

DrainSeconds = Annotated[
    float, Field(ge=1, le=600, description="A running agent may take so long to finish (1-600 s).")
]


@flow(name="switchover", flow_run_name="Switchover to the other node")
def switchover(drain_seconds: DrainSeconds = 60, site_file: Path = DEFAULT_SITE) -> Moved:
    """Move Joe to the other node, planned: memory first, nothing is lost, or it is not made.

    Args:
        drain_seconds: a running agent may take so long to finish.
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
        drain_seconds: a running agent may take so long to finish.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    if record.holder == site.preferred:
        raise Refused(f"{site.preferred} is the holder already: there is nothing to fail back")
    return ordered(site, record, Action.FAILBACK, site.preferred, drain_seconds)


@flow(name="force-failover", flow_run_name="Force a failover")
def force_failover(confirm: str, site_file: Path = DEFAULT_SITE) -> Moved:
    """Move Joe although it may cost something: memory that was not synced stays behind, and a
    holder that is only cut off from T440 may go on serving beside the new one.

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
            f" what {record.holder} wrote since the last sync stays on its disk, and if it is only"
            " cut off from T440 it may go on serving"
        )
    return ordered(site, record, Action.FORCE_FAILOVER, to, site.times.kill_budget_seconds)


def ordered(site: Site, record: Record, action: Action, to: str, drain_seconds: float) -> Moved:
    """A move by hand, named by what it does."""
    reason = f"{action.value.capitalize()} to {to} by hand"
    rename_run(reason)
    return move(site, Move(action, record, to, reason, drain_seconds))
