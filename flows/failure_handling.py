"""Fires the failover and failback actions of one decision: the move from one node to the other.

A move is one durable write, `{epoch + 1, holder}` on T440. Before it nothing has changed but a
gateway that was drained (and is started again when the move is given up); after it the record is
both the intent and the result.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from flows.memory_sync import sync
from tasks.core.errors import DualJoeError, NotPromotable, NotStopped, Refused, StaleRecord
from tasks.core.site import Site
from tasks.core.situation import Level, Situation, why_not_promotable
from tasks.core.state import History, Record
from tasks.gateway import Stop, start_gateway, stop_gateway, wait_until_serving
from tasks.journal import move_lock, now, write_journal
from tasks.notify import alert
from tasks.observe import observe
from tasks.record import read_record, spread_record, write_record
from tasks.sites import DEFAULT_SITE, load_site


class Action(StrEnum):
    """Which way Joe goes, and whether it was planned."""

    FAILOVER = "failover"
    FAILBACK = "failback"
    SWITCHOVER = "switchover"
    FORCE_FAILOVER = "force-failover"

    @property
    def planned(self) -> bool:
        """A planned move loses nothing, or is not made."""
        return self in (Action.FAILBACK, Action.SWITCHOVER)


@dataclass(frozen=True)
class Move:
    """What is to be moved where, and why. `drain_seconds`: a running agent may take so long."""

    action: Action
    old: Record
    to: str
    reason: str
    drain_seconds: float

    @property
    def new(self) -> Record:
        return Record(self.old.epoch + 1, self.to)


@dataclass(frozen=True)
class Moved:
    """What was observed after a move: the record, and seconds to /healthz (None: it never came)."""

    record: Record
    serving_after: float | None
    told: str


@flow(name="failure-handling", flow_run_name="{reason}")
def failure_handling(
    action: Action = Action.FAILOVER,
    reason: str = "Failover by hand",
    epoch: int | None = None,
    site_file: Path = DEFAULT_SITE,
) -> Moved:
    """Carry out the failover or failback that a health check decided on.

    Args:
        action: failover: to the other node, planned or not; failback: to the preferred node.
        reason: one sentence; it names this run and is what people are told.
        epoch: of the record that was decided on; nothing is done when it changed. Empty: the
            record as it is now.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    record = read_record(site)
    if epoch is not None and record.epoch != epoch:
        raise StaleRecord(f"decided on epoch {epoch}, the record is at epoch {record.epoch}")
    if action is Action.FAILBACK and record.holder == site.preferred:
        raise Refused(f"{site.preferred} is the holder already: there is nothing to fail back")
    drain = site.times.drain_limit_seconds if action.planned else site.times.kill_budget_seconds
    return move(site, Move(action, record, site.other(record.holder), reason, drain))


def move(site: Site, plan: Move) -> Moved:
    """Carry out one move, and tell what was observed.

    Raises MoveHeld, StaleRecord, NotPromotable or Refused when nothing was changed, NotStopped when
    the old gateway's stop could not be proven (then nothing else was started).
    """
    begun = time.monotonic()
    with move_lock(site):
        if read_record(site) != plan.old:
            raise StaleRecord(f"the record is no longer {tuple(plan.old)}")
        stopped, remark = make_ready(site, plan)
        write_record(site, plan.new, plan.old)
        write_journal(site, "move", action=plan.action, record=plan.new, reason=plan.reason)
        waited = promote(site, plan.new, stopped)
        moved = tell(site, plan, waited, remark, time.monotonic() - begun)
        if waited is None and stopped is Stop.STOPPED:
            return move_back(site, plan)
        return moved


def make_ready(site: Site, plan: Move) -> tuple[Stop, str]:
    """Everything before the write: memory first, then the old gateway, then memory once more.

    Returns what is known of the old gateway, and a remark for the alert. Whatever is raised, the
    old node serves again if it did before and can.
    """
    old, limit = plan.old.holder, site.times.final_sync_limit_seconds
    if plan.action.planned:
        sync(site, old, plan.to, plan.old.epoch, limit)  # most of it, while the old one serves
    require_promotable(site, plan)
    try:
        stopped = stop_gateway(site, old, plan.drain_seconds)
        if stopped is Stop.UNREACHABLE:
            if plan.action.planned:
                raise Refused(f"{old} is unreachable: a {plan.action} could lose memory")
            return stopped, f"{old} could not be asked: its last minutes are still on its disk"
        return stopped, final_sync(site, plan, limit)
    except NotStopped:
        raise
    except DualJoeError:
        undo(site, plan)
        raise


def final_sync(site: Site, plan: Move, limit: float) -> str:
    """The last memory of a stopped gateway; returns a remark. A planned move raises instead."""
    try:
        sync(site, plan.old.holder, plan.to, plan.old.epoch, limit)
        return "nothing was left behind"
    except DualJoeError as error:
        if plan.action.planned:
            raise
        return f"the last minutes are still on {plan.old.holder}'s disk: {error}"


def require_promotable(site: Site, plan: Move) -> None:
    """Raises NotPromotable when the other node cannot take over."""
    seen = observe(site)
    why = why_not_promotable(Situation(site, plan.old, seen, History(), now()), seen[plan.to])
    if why and not (
        plan.action is Action.FORCE_FAILOVER and seen[plan.to].gateway_runs is not None
    ):
        raise NotPromotable(f"{plan.to} cannot take over: {why}")


def undo(site: Site, plan: Move) -> None:
    """Before the write: let the old holder go on."""
    try:
        start_gateway(site, plan.old.holder, plan.old.epoch, Stop.STOPPED)
    except DualJoeError as error:  # the next check restarts it
        get_run_logger().error("%s was not started again: %s", plan.old.holder, error)


def promote(site: Site, record: Record, stopped: Stop) -> float | None:
    """After the write: tell the nodes, start the new holder; seconds until it served, or None."""
    names = (record.holder, site.other(record.holder))
    spread_record(site, record, names if stopped is Stop.STOPPED else names[:1])
    try:
        start_gateway(site, record.holder, record.epoch, stopped)
    except DualJoeError as error:
        get_run_logger().error("%s was not started: %s", record.holder, error)
        return None
    return wait_until_serving(site, record.holder, site.times.watch_seconds)


def tell(site: Site, plan: Move, waited: float | None, remark: str, took: float) -> Moved:
    """One alert, whose claim was observed."""
    if waited is None:
        level = Level.CRITICAL
        watch = site.times.watch_seconds
        text = f"{plan.reason}. {plan.to} does not serve {watch:g} s after its start; {remark}"
    else:
        level = Level.WARN if plan.action is Action.FAILOVER else Level.OK
        text = f"{plan.reason}. {plan.to} serves, {took:.1f} s after the decision; {remark}"
    alert(site, level, text)
    return Moved(plan.new, waited, text)


def move_back(site: Site, plan: Move) -> Moved:
    """The new holder never served: a new move back to the old one, which is well enough to stop."""
    back = replace(
        plan,
        old=plan.new,
        to=plan.old.holder,
        reason=f"Back to {plan.old.holder}: {plan.to} did not start",
    )
    stopped = stop_gateway(site, plan.to, site.times.kill_budget_seconds)
    write_record(site, back.new, back.old)
    write_journal(site, "move", action=back.action, record=back.new, reason=back.reason)
    waited = promote(site, back.new, stopped)
    return tell(site, back, waited, "no memory was written meanwhile", 0.0)
