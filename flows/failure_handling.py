"""Fires the failover and failback actions of one decision: the move from one node to the other.

A move is one durable write, `{epoch + 1, holder}` on T440. Before it nothing has changed but a
gateway that was drained (the drain lapses by itself); after it the record is both the intent and
the result: asks spread it, the old node stops, the new one starts when it has a term.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from prefect import flow

from flows.memory_sync import sync
from tasks.core.errors import MoveHeld, NotPromotable, NotStopped, Refused, StaleRecord
from tasks.core.move import Finish, Outcome, Plan
from tasks.core.site import Site
from tasks.core.situation import Level, Situation, why_not_promotable, why_not_reachable
from tasks.core.state import History, Observation, Record, Ssh
from tasks.deadline import allow
from tasks.journal import move_lock, now, write_journal
from tasks.move import Drive
from tasks.notify import alert
from tasks.observe import observe
from tasks.pause import require_unpaused, with_pause
from tasks.record import read_record
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site

# What a move may take beside its drain, its last sync and the watch over the new holder.
REST_SECONDS = 30.0


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
class Order:
    """What is to be moved where, and why. `drain_seconds`: a running agent may take so long.

    `gone`: the old holder was just seen not to answer. To look again costs a whole probe deadline.
    `by_itself`: no person ordered it, so a pause holds it back.
    """

    action: Action
    old: Record
    to: str
    reason: str
    drain_seconds: float
    gone: bool = False
    by_itself: bool = False


@dataclass(frozen=True)
class Moved:
    """What was observed after a move: the record now, whether its holder serves, what was told."""

    record: Record
    serves: bool
    told: str


@flow(name="failure-handling", flow_run_name="{reason}")
def failure_handling(
    action: Action = Action.FAILOVER,
    reason: str = "Failover by hand",
    epoch: int | None = None,
    site_file: Path = DEFAULT_SITE,
    gone: bool = False,
    by_itself: bool = False,
) -> Moved | None:
    """Carry out the failover or failback that a health check decided on.

    Several checks may decide the same at once: the first one's move is made, the others end here.

    Args:
        action: failover: to the other node, planned or not; failback: to the preferred node.
        reason: one sentence; it names this run and is what people are told.
        epoch: of the record that was decided on; nothing is done when it changed. Empty: the
            record as it is now.
        site_file: the site file on T440.
        gone: the old holder was just seen not to answer, and is not looked into again.
        by_itself: a check ordered it, no person: while Joe is paused nothing is done.
    """
    site = load_site(site_file)
    if not by_itself and (said := with_pause(site, reason)) != reason:
        reason = said
        rename_run(reason)
    record = read_record(site)
    if epoch is not None and record.epoch != epoch:
        rename_run(f"Already done: {reason}")
        return None
    if action is Action.FAILBACK and record.holder == site.preferred:
        raise Refused(f"{site.preferred} is the holder already: there is nothing to fail back")
    drain = site.times.drain_limit_seconds if action.planned else site.times.kill_budget_seconds
    unplanned = gone and not action.planned
    order = Order(action, record, site.other(record.holder), reason, drain, unplanned, by_itself)
    try:
        return move(site, order)
    except (MoveHeld, StaleRecord):
        if epoch is None:
            raise
        rename_run(f"Already under way: {reason}")
        return None


def move(site: Site, order: Order) -> Moved:
    """Carry out one move, and tell what was observed.

    Raises MoveHeld, StaleRecord, Paused, NotPromotable or Refused when nothing was changed,
    NotStopped when the old gateway did not stop (then nothing was written), RunOver when its run
    was cancelled before the write or its time was over.
    """
    begun = time.monotonic()
    with move_lock(site):
        if read_record(site) != order.old:
            raise StaleRecord(f"the record is no longer {tuple(order.old)}")
        if order.by_itself:
            require_unpaused(site)  # with the lock held: a later pause sees the move and says so
        source, limit = order.old.holder, site.times.final_sync_limit_seconds
        allow(move_seconds(site, order))
        if order.action.planned:
            sync(site, source, order.to, order.old.epoch, limit)  # most of it, while it serves
        allow(move_seconds(site, order))  # that sync has its own limit
        seen = require_promotable(site, order)
        drive = Drive(
            site,
            plan_for(site, order, seen[source]),
            lambda: sync(site, source, order.to, order.old.epoch, limit),
            reason_against(order),
        )
        ended = drive.run()
        if drive.drained and ended.outcome is Outcome.STAYED:
            drive.await_return()
        write_journal(site, "moved", outcome=ended.outcome, sentence=ended.sentence)
        require_written(ended, order)
        moved = tell(site, order, ended, remark(drive), time.monotonic() - begun)
        return move_back(site, order, moved) if ended.move_back else moved


def move_seconds(site: Site, order: Order) -> float:
    """After so long a move begins no effect any more."""
    times = site.times
    return order.drain_seconds + times.final_sync_limit_seconds + times.watch_seconds + REST_SECONDS


def plan_for(site: Site, order: Order, source: Observation) -> Plan:
    """The order as the state machine wants it: what can be asked of the old holder.

    A guard that hangs cannot be drained, but its disk can still be read.
    """
    answers = source.ssh is Ssh.OK
    asks = source.asked_seconds < site.times.silence_seconds
    return Plan(
        record=order.old,
        source=order.old.holder,
        target=order.to,
        reason=order.reason,
        source_answers=answers and asks,
        source_disk=answers,
        lossless=order.action.planned,
        drain_limit=order.drain_seconds,
    )


def require_promotable(site: Site, order: Order) -> dict[str, Observation]:
    """What is seen of both nodes. Raises NotPromotable when the other one cannot take over."""
    seen = observe(site, (order.to,) if order.gone else ())
    situation = Situation(site, order.old, seen, History(), now())
    why = reason_against(order)(situation, seen[order.to])
    if why:
        raise NotPromotable(f"{order.to} cannot take over: {why}")
    if order.action.planned and seen[order.old.holder].ssh is not Ssh.OK:
        raise Refused(f"{order.old.holder} is unreachable: a {order.action} could lose memory")
    return seen


def reason_against(order: Order) -> Callable[[Situation, Observation], str]:
    """What may keep a node from taking over; a forced move does not look at its memory."""
    forced = order.action is Action.FORCE_FAILOVER
    return why_not_reachable if forced else why_not_promotable


def require_written(ended: Finish, order: Order) -> None:
    """Raises what a move that wrote nothing means to its caller."""
    if ended.outcome is Outcome.STALE:
        raise StaleRecord(ended.sentence)
    if ended.outcome is Outcome.NOT_STOPPED:
        raise NotStopped(ended.sentence)
    if ended.outcome is Outcome.STAYED:
        raise Refused(f"nothing was moved, {order.old.holder} goes on: {ended.sentence}")


def remark(drive: Drive) -> str:
    """What became of the old holder's last memory, in words."""
    source = drive.plan.source
    if drive.sync_trouble:
        return f"the last minutes are still on {source}'s disk: {drive.sync_trouble}"
    if drive.syncing is None:
        return f"{source} could not be asked: its last minutes are still on its disk"
    return "nothing was left behind"


def tell(site: Site, order: Order, ended: Finish, note: str, took: float) -> Moved:
    """One alert, whose claim was observed."""
    serves = ended.outcome is Outcome.MOVED
    level = Level.CRITICAL
    text = f"{ended.sentence}; {note}"
    if serves:
        level = Level.WARN if order.action is Action.FAILOVER else Level.OK
        text = f"{order.reason}. {order.to} serves, {took:.1f} s after the decision; {note}"
    alert(site, level, text)
    return Moved(read_record(site), serves, text)


def move_back(site: Site, order: Order, failed: Moved) -> Moved:
    """The new holder never served: a new move back to the old one."""
    back = Order(
        order.action,
        failed.record,
        order.old.holder,
        f"Back to {order.old.holder}: {order.to} did not start",
        site.times.kill_budget_seconds,
    )
    plan = Plan(back.old, order.to, back.to, back.reason, False, False, lossless=False)
    begun = time.monotonic()
    allow(move_seconds(site, back))
    drive = Drive(site, plan, lambda: None, why_not_reachable)  # its memory is its own
    ended = drive.run()
    write_journal(site, "moved", outcome=ended.outcome, sentence=ended.sentence)
    took = time.monotonic() - begun
    return tell(site, back, ended, "nothing was written meanwhile", took)
