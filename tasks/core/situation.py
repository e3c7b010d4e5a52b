"""What a decision may depend on, what it says, and the questions that the rows of the table ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tasks.core.pause import Pause
from tasks.core.site import Site
from tasks.core.state import History, Moment, Observation, Record, Ssh, Standing, standing


class Kind(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    LOOK_AGAIN = "look again"
    ADOPT = "adopt"
    FENCE = "fence"
    FAILOVER = "failover"
    FAILBACK = "failback"
    HOLD = "hold back"  # a failover or failback that a pause keeps from being made


class Level(StrEnum):
    """How well the pair is: OK, WARN (Joe serves but something is missing), CRITICAL."""

    OK = "ok"
    WARN = "warn"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Decision:
    """`reason` is one sentence: the log line, the alert and the run's name. `node` is whom it is
    done to: the node to promote (or that a pause keeps from it) or to fence. `epoch` is that of the
    record afterwards.
    """

    kind: Kind
    reason: str
    epoch: int
    node: str = ""
    level: Level = Level.OK


@dataclass(frozen=True)
class Situation:
    """All that a decision may depend on.

    `record_since`: wall clock, for people alone: when T440 took over its record, if that is known.
    `pause`: the one that is in force now.
    """

    site: Site
    record: Record
    observations: dict[str, Observation]
    history: History
    now: Moment
    record_since: float | None = None
    pause: Pause | None = None

    @property
    def holder(self) -> Observation:
        return self.observations[self.record.holder]

    @property
    def other(self) -> Observation:
        return self.observations[self.site.other(self.record.holder)]

    def standing(self, seen: Observation) -> Standing:
        times = self.site.times
        return standing(seen, times.heard_seconds, times.silence_seconds)

    @property
    def next_epoch(self) -> int:
        """One more than the highest epoch seen anywhere."""
        return 1 + newest_record(self).epoch


def newest_record(s: Situation) -> Record:
    """The record of the highest epoch, T440's own first among equals."""
    seen = [o.record for o in s.observations.values() if o.record is not None]
    return max([s.record, *seen], key=lambda record: record.epoch)


def why_not_promotable(s: Situation, node: Observation) -> str:
    """Why `node` cannot take over now, "" when it can."""
    limit = s.site.times.memory_limit_seconds
    if s.pause is not None and is_in_maintenance(s, node):
        return s.pause.said
    if why := why_not_reachable(s, node):
        return why
    if node.gateway_runs and node.node != s.record.holder:
        return f"a gateway runs on {node.node} already"
    if node.memory_age_seconds is None:
        return f"{node.node} has no verified memory"
    if node.memory_age_seconds > limit:
        return (
            f"the newest verified memory on {node.node} is {age(node.memory_age_seconds)} old,"
            f" the limit is {age(limit)}"
        )
    return ""


def why_not_reachable(s: Situation, node: Observation) -> str:
    """Why nothing could be started on `node` now, whatever its memory; "" when it could."""
    if node.gateway_runs is None:
        return f"{node.node} is {unreachable_word(node)}"
    if node.asked_seconds > s.site.times.other_heard_seconds:
        return f"{node.node}'s guard has not asked for {age(node.asked_seconds)}"
    return ""


def is_in_maintenance(s: Situation, node: Observation) -> bool:
    return s.pause is not None and s.pause.node == node.node


def unreachable_word(node: Observation) -> str:
    """How a node that T440 cannot look into answers, in words."""
    if node.ssh in (Ssh.KEY_MISMATCH, Ssh.NO_ACCESS):
        return f"not the node we know ({node.ssh})"
    return "unreachable" if node.ssh is not Ssh.OK else "not to be looked into"


def age(seconds: float) -> str:
    """Seconds for a reader: 14 s, 15 min, 26 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def recent_failovers(s: Situation) -> int:
    """Automatic failovers within the latch time; one from the future (clock stepped) counts."""
    return sum(s.now.wall - at < s.site.times.latch_seconds for at in s.history.failovers)


# --- guards: questions that a row asks beyond the two standings


def newer_record_seen(s: Situation) -> bool:
    return newest_record(s).epoch > s.record.epoch


def other_runs_a_gateway(s: Situation) -> bool:
    return s.other.gateway_runs is True


def other_in_maintenance(s: Situation) -> bool:
    return is_in_maintenance(s, s.other)


def moves_are_paused(s: Situation) -> bool:
    """The whole site, or the holder's own maintenance: then Joe stays where he is."""
    return s.pause is not None and s.pause.node in ("", s.holder.node)


def other_misses_probes(s: Situation) -> bool:
    """No ssh to the other node, for less than H: not known yet."""
    silent = s.other.silent_seconds
    return s.other.ssh is not Ssh.OK and silent < s.site.times.silence_seconds


def other_not_promotable(s: Situation) -> bool:
    return bool(why_not_promotable(s, s.other))


def just_lost_sight(s: Situation) -> bool:
    """No ssh for so short a time that what was heard may be from before it: it may have died."""
    return s.holder.silent_seconds < s.site.times.heard_seconds + s.site.times.ask_seconds


def holder_preferred(s: Situation) -> bool:
    return s.record.holder == s.site.preferred


def guard_still_tries(s: Situation) -> bool:
    """The guard restarts once in place, and has not given up yet; it has as long as it says."""
    times, since = s.site.times, s.history.unwell_since
    limit = times.restart_grace_seconds + times.restart_watch_seconds
    if s.holder.guard == "unwell" or guard_is_silent(s):
        return False
    return since is None or s.now.boot - since < limit


def guard_is_silent(s: Situation) -> bool:
    """A guard that has not asked for H hangs or is gone: it restarts nothing."""
    return s.holder.asked_seconds >= s.site.times.silence_seconds


def latched(s: Situation) -> bool:
    return s.history.latched


def two_failovers_already(s: Situation) -> bool:
    return recent_failovers(s) >= 2


def failback_by_hand(s: Situation) -> bool:
    return s.site.failback == "manual"


def preferred_not_well_long_enough(s: Situation) -> bool:
    return preferred_well_seconds(s) < s.site.times.failback_after_seconds


def preferred_well_seconds(s: Situation) -> float:
    since = s.history.preferred_well_since
    return 0.0 if since is None else s.now.boot - since


def always(s: Situation) -> bool:
    return True


Guard = Callable[[Situation], bool]
Reason = Callable[[Situation], str]


@dataclass(frozen=True)
class Row:
    """Holder's standings, a guard, what is done, to whom, how bad it is, and the reason."""

    holder: frozenset[Standing]
    guard: Guard
    kind: Kind
    level: Level
    reason: Reason
    to_other: bool = False

    def fits(self, s: Situation) -> bool:
        return s.standing(s.holder) in self.holder and self.guard(s)

    def decision(self, s: Situation) -> Decision:
        moves = self.kind in (Kind.FAILOVER, Kind.FAILBACK)
        return Decision(
            kind=self.kind,
            reason=self.reason(s),
            epoch=s.next_epoch if moves else s.record.epoch,
            node=s.other.node if self.to_other else s.holder.node,
            level=self.level,
        )
