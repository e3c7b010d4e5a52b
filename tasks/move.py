"""Drives the move: tells the state machine what T440 sees, and carries out what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

from prefect.logging import get_run_logger

from tasks.core.errors import DualJoeError, StaleRecord
from tasks.core.move import (
    Effect,
    EndDrain,
    FinalSync,
    Finish,
    KillGateway,
    Move,
    MoveTimes,
    Plan,
    RenewDrain,
    Seen,
    Step,
    WriteRecord,
)
from tasks.core.site import Site
from tasks.core.situation import Situation, why_not_promotable, why_not_reachable
from tasks.core.state import History, Observation, Record
from tasks.core.times import Times
from tasks.deadline import check
from tasks.gateway import is_serving, kill_gateway
from tasks.journal import now, write_journal
from tasks.observe import look_at_all
from tasks.record import read_record, write_record
from tasks.remote.local import call_local

TURN_SECONDS = 0.5
LOCAL_SECONDS = 5.0


class Drive:
    """One move from its plan to its end.

    `sync` carries the last memory, and raises when it cannot. `why_not` says why the target cannot
    take over: by its memory, too, or only whether it could be reached (forced, or moved back to).
    """

    def __init__(
        self,
        site: Site,
        plan: Plan,
        sync: Callable[[], object],
        why_not: Callable[[Situation, Observation], str] = why_not_promotable,
    ) -> None:
        self.site, self.plan, self.sync, self.why_not = site, plan, sync, why_not
        self.move = Move(plan, now().boot, move_times(site.times))
        self.looks: dict[str, Observation] = {}
        self.drained = False
        self.syncing: Future[object] | None = None
        self.sync_trouble = ""

    def run(self) -> Finish:
        """Carry the move out; returns how it ended.

        Whatever stops this run before the write leaves a drain that lapses by itself. Raises
        RunOver when it was cancelled before the write, or its time is over.
        """
        with ThreadPoolExecutor(1) as self.pool:
            while self.move.finished is None:
                begun = time.monotonic()
                check()
                for effect in self.move.advance(now().boot, self.see()):
                    self.carry_out(effect)
                time.sleep(max(0.0, TURN_SECONDS - (time.monotonic() - begun)))
        return self.move.finished

    def await_return(self) -> None:
        """Until the source, which was drained and keeps Joe, serves again; a watch at most.

        Meanwhile a check would tell of a gateway that does not serve. When nobody hears of the
        source any more there is nothing to wait for: the next check has to act.
        """
        source, until = self.plan.source, now().boot + self.site.times.watch_seconds
        while now().boot < until and not is_serving(self.site, source):
            check()
            self.looks = look_at_all(self.site, self.looks, (self.plan.target,))
            if self.looks[source].asked_seconds >= self.site.times.silence_seconds:
                return
            time.sleep(TURN_SECONDS)

    def see(self) -> Seen:
        """The target, T440's record and voter, and the sync, as they are now.

        Into the source nobody looks until it may have to take Joe back: what counts is what the
        voters hear of it, and a look into a node that is gone would hold up the move.
        """
        watching = self.move.step is Step.WATCH
        ending = watching and now().boot + 2 * self.site.times.probe_seconds > self.move.watch_ends
        names = (self.plan.target, self.plan.source) if ending else (self.plan.target,)
        self.looks = look_at_all(self.site, self.looks, names)
        source, target = self.looks[self.plan.source], self.looks[self.plan.target]
        record = read_record(self.site)
        s = Situation(self.site, record, self.looks, History(), now())
        return Seen(
            record=record,
            source_serving=source.says_serving is not False,
            source_heard_s=source.asked_seconds,
            target_heard_s=target.asked_seconds,
            not_promotable=self.why_not(s, target),
            source_promotable=ending and not why_not_reachable(s, source),  # its memory is its own
            target_serves=watching and is_serving(self.site, self.plan.target),
            synced=self.synced(),
        )

    def synced(self) -> bool | None:
        """None while the final sync runs."""
        if self.syncing is None or not self.syncing.done():
            return None
        error = self.syncing.exception()
        if error is not None and not self.sync_trouble:
            self.sync_trouble = str(error)
            get_run_logger().warning("the final sync failed: %s", error)
        return error is None

    def carry_out(self, effect: Effect) -> None:
        """One effect; each may be done twice without harm.

        Raises RunOver when this run may not act any more.
        """
        check()
        watchdog = self.site.watchdog
        match effect:
            case RenewDrain(node, epoch, until):
                self.drained = True
                order = {"to": node, "epoch": epoch, "seconds": max(until - now().boot, 1)}
                call_local(watchdog, "drain write", order, seconds=LOCAL_SECONDS)
            case EndDrain():
                call_local(watchdog, "drain end", seconds=LOCAL_SECONDS)
            case KillGateway(node):
                try:
                    kill_gateway(self.site, node)
                except DualJoeError as error:  # the state machine sees whether it stopped
                    get_run_logger().warning("%s", error)
            case FinalSync():
                # in this run's context, so that Prefect shows its tasks below it
                self.syncing = self.pool.submit(copy_context().run, self.sync)
            case WriteRecord(decided_on, holder):
                self.write(decided_on, holder)
            case Finish():
                get_run_logger().info("%s: %s", effect.outcome, effect.sentence)

    def write(self, decided_on: Record, holder: str) -> None:
        """The one write; when somebody else wrote first, the state machine sees that."""
        try:
            record = write_record(self.site, holder, decided_on)
        except StaleRecord as error:
            get_run_logger().warning("%s", error)
            return
        write_journal(self.site, "move", record=record, reason=self.plan.reason)


def move_times(times: Times) -> MoveTimes:
    """The move's times from the site's."""
    return MoveTimes(
        kill_wait=times.kill_budget_seconds + times.ask_seconds + times.probe_seconds,
        heard_within=times.other_heard_seconds,
        silence=times.silence_seconds,
        sync_limit=times.final_sync_limit_seconds,
        watch=times.watch_seconds,
    )
