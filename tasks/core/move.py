"""The move of Joe from one node to the other: one durable write, and what surrounds it.

1 drain the old holder if it answers, and take its last memory; 2 look again whether the other node
can take over; 3 write the record; 4 watch the other node come up; 5 journal and tell. Before step 3
a crash changes nothing, since the drain lapses; after it the record is intent and result in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from .state import Record


@dataclass(frozen=True)
class MoveTimes:
    """In seconds. `drain_lasts` bounds how long a drain outlives T440; it is renewed well before.

    `kill_wait`: the kill budget of 5 s, the next ask, and a probe. `heard_within`: six asks.
    """

    drain_lasts: float = 10.0
    drain_renewed: float = 3.0
    kill_wait: float = 9.0
    heard_within: float = 6.0
    silence: float = 14.0
    sync_limit: float = 120.0
    watch: float = 60.0


class Step(IntEnum):
    """The numbered steps; a move only ever goes on to a higher one."""

    DRAIN = 1
    CONFIRM = 2
    WRITE = 3
    WATCH = 4
    JOURNAL = 5


class Outcome(StrEnum):
    """How a move ended; only MOVED claims that the other node was seen to serve."""

    MOVED = "moved"
    STAYED = "stayed"  # nothing was written
    STALE = "stale"  # the record is no longer the one decided on; nothing was written
    NOT_STOPPED = "not stopped"  # the old holder would not stop; nothing was written
    NOT_UP = "not up"  # written, but the other node was not seen to serve
    OVERTAKEN = "overtaken"  # written, and somebody wrote a higher record since


class Plan(NamedTuple):
    """What was decided. `drain_limit`: seconds the agent may finish its work, then it is killed.

    `source_answers`: it serves and will hear a drain. `source_disk`: its memory can be read.
    `lossless`: better stay than move without the last memory (planned moves).
    """

    record: Record
    source: str
    target: str
    reason: str
    source_answers: bool
    source_disk: bool
    lossless: bool
    drain_limit: float = 60.0


class Seen(NamedTuple):
    """What T440 knows at this moment.

    `source_serving`: what the source last said at the plan's epoch. `source_heard_s`: how long ago.
    `synced`: None while the final sync runs. `not_promotable`: the reason, "" = it is.
    """

    record: Record | None
    source_serving: bool
    source_heard_s: float | None
    target_heard_s: float | None
    not_promotable: str = ""
    source_promotable: bool = False
    target_serves: bool = False
    synced: bool | None = None


class RenewDrain(NamedTuple):
    """Write the drain file; `until` is T440's CLOCK_BOOTTIME."""

    node: str
    epoch: int
    until: float


class EndDrain(NamedTuple):
    """Remove the drain file."""


class KillGateway(NamedTuple):
    """SIGKILL the node's gateway: its time to finish is over."""

    node: str


class FinalSync(NamedTuple):
    """Bring the source's last memory to the target; the result comes back as `Seen.synced`."""

    source: str
    target: str


class WriteRecord(NamedTuple):
    """The one durable write: the next epoch for `holder`, only if the record is `decided_on`."""

    decided_on: Record
    holder: str


class Finish(NamedTuple):
    """Journal the outcome and tell it once; `move_back`: begin a new move back to the source."""

    outcome: Outcome
    sentence: str
    move_back: bool = False


Effect = RenewDrain | EndDrain | KillGateway | FinalSync | WriteRecord | Finish


class Move:
    """One move, told the time and what T440 sees at least once a second until `finished`."""

    def __init__(self, plan: Plan, now: float, times: MoveTimes | None = None) -> None:
        self.plan = plan
        self.times = times or MoveTimes()
        self.step = Step.DRAIN
        self.finished: Finish | None = None
        self._drains = plan.source_answers
        self._renewed: float | None = None
        self._killed: float | None = None
        self._sync_since: float | None = None
        self._step_since = self._began = now

    @property
    def watch_ends(self) -> float:
        """When step 4 gives up; only there `Seen.source_promotable` counts."""
        return self._step_since + self.times.watch

    def advance(self, now: float, seen: Seen) -> list[Effect]:
        """Return what to do now, in this order; each effect may be done twice without harm."""
        if self.finished:
            return []
        steps = {Step.DRAIN: self._drain, Step.CONFIRM: self._confirm, Step.WRITE: self._write}
        return steps.get(self.step, self._watch)(now, seen)

    def _drain(self, now: float, seen: Seen) -> list[Effect]:
        """Step 1. The sync comes after the last write, so after the stop has been heard."""
        if seen.record != self.plan.record:
            return self._end(Outcome.STALE, "the record changed before the move")
        gone = seen.source_heard_s is None or seen.source_heard_s >= self.times.silence
        if self._drains and not gone and seen.source_serving and self._sync_since is None:
            return self._keep_draining(now)
        wants_sync = self.plan.source_disk and not (self.plan.source_answers and gone)
        if not wants_sync:
            if self.plan.lossless:
                return self._end(Outcome.STAYED, f"{self.plan.source} is gone, its memory unread")
            self._go(Step.CONFIRM, now)
            return []
        return self._sync(now, seen)

    def _keep_draining(self, now: float) -> list[Effect]:
        effects = self._renew(now)
        if now < self._began + self.plan.drain_limit:
            return effects
        if self._killed is None:
            self._killed = now
            return [*effects, KillGateway(self.plan.source)]
        if now < self._killed + self.times.kill_wait:
            return effects
        return self._end(Outcome.NOT_STOPPED, f"the gateway on {self.plan.source} did not stop")

    def _sync(self, now: float, seen: Seen) -> list[Effect]:
        effects = self._renew(now) if self._drains else []
        if self._sync_since is None:
            self._sync_since = now
            return [*effects, FinalSync(self.plan.source, self.plan.target)]
        late = now >= self._sync_since + self.times.sync_limit
        if seen.synced is None and not late:
            return effects
        if not seen.synced and self.plan.lossless:
            return self._end(Outcome.STAYED, "the final memory sync failed")
        self._go(Step.CONFIRM, now)
        return effects

    def _confirm(self, now: float, seen: Seen) -> list[Effect]:
        """Step 2. A target that has just gone would leave nobody."""
        effects = self._renew(now) if self._drains else []
        heard = seen.source_heard_s
        if self.plan.lossless and (heard is None or heard > self.times.heard_within):
            return self._end(Outcome.STAYED, f"{self.plan.source} went silent after its sync")
        if self.plan.lossless and seen.source_serving:
            return self._end(Outcome.STAYED, f"{self.plan.source} serves again after its sync")
        if seen.target_heard_s is None or seen.target_heard_s > self.times.heard_within:
            return self._end(Outcome.STAYED, f"{self.plan.target} has not asked of late")
        if seen.not_promotable:
            return self._end(Outcome.STAYED, f"{self.plan.target}: {seen.not_promotable}")
        self._go(Step.WRITE, now)
        return [*effects, WriteRecord(self.plan.record, self.plan.target)]

    def _write(self, now: float, seen: Seen) -> list[Effect]:
        """Step 3. Done when the record is seen; a write that did not happen is asked for again."""
        if seen.record == self.plan.record:
            return [WriteRecord(self.plan.record, self.plan.target)]
        if not self._is_ours(seen.record):
            return self._end(Outcome.STALE, "the record changed before it was written")
        self._go(Step.WATCH, now)
        return [EndDrain()]

    def _watch(self, now: float, seen: Seen) -> list[Effect]:
        """Step 4. A target that does not come up is moved back from, if there is a way back."""
        if not self._is_ours(seen.record):
            return self._end(Outcome.OVERTAKEN, "a higher record was written meanwhile")
        if seen.target_serves:
            return self._end(Outcome.MOVED, f"{self.plan.target} serves")
        if now < self.watch_ends:
            return []
        late = f"{self.plan.target} was not seen to serve within {self.times.watch:g} s"
        return self._end(Outcome.NOT_UP, late, seen.source_promotable)

    def _is_ours(self, record: Record | None) -> bool:
        if record is None or record.holder != self.plan.target:
            return False
        return record.epoch > self.plan.record.epoch

    def _renew(self, now: float) -> list[Effect]:
        if self._renewed is not None and now < self._renewed + self.times.drain_renewed:
            return []
        self._renewed = now
        until = now + self.times.drain_lasts
        return [RenewDrain(self.plan.source, self.plan.record.epoch, until)]

    def _go(self, step: Step, now: float) -> None:
        self.step, self._step_since = step, now

    def _end(self, outcome: Outcome, sentence: str, move_back: bool = False) -> list[Effect]:
        """Step 5, with the drain taken back in every case."""
        self.step = Step.JOURNAL
        self.finished = Finish(outcome, f"{self.plan.reason}: {sentence}", move_back)
        return [EndDrain(), self.finished]
