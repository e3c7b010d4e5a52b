"""What one check does: a table, first row that fits wins, and every row says why.

Nothing here reads a clock, a disk or a network: the same situation gives the same decision.
Reasons are sentences that stand alone in a list of runs.
"""

from __future__ import annotations

from dataclasses import replace

from tasks.core import situation as d
from tasks.core.situation import Decision, Kind, Level, Row, Situation
from tasks.core.state import Health, Observation, Standing

ANY = frozenset(Standing)
SERVING = frozenset({Standing.SERVING})
REACHED = frozenset({Standing.SERVING, Standing.UNWELL, Standing.IDLE})
NOT_WELL = frozenset({Standing.UNWELL, Standing.IDLE})
HEARD = frozenset({Standing.HEARD})
QUIET = frozenset({Standing.QUIET})
SILENT = frozenset({Standing.SILENT})
GONE = SILENT | NOT_WELL


def trouble(seen: Observation) -> str:
    """What is wrong with a gateway on a node that answers, in words."""
    if seen.gateway_runs is False:
        return "its gateway is not running"
    if seen.healthz is Health.TIMEOUT:
        return "its gateway hangs: port open, no answer"
    if seen.healthz is Health.WRONG_BODY:
        return "something else answers on its gateway's port"
    return "its gateway runs but does not answer"


def _newer(s: Situation) -> str:
    new = d.newest_record(s)
    return f"Adopt the newer record: epoch {new.epoch} for {new.holder}"


def _fence(s: Situation) -> str:
    both = "Two nodes serve" if s.standing(s.holder) is Standing.SERVING else "A stray gateway runs"
    return f"{both}: kill the gateway on {s.other.node}, the record names {s.holder.node}"


def _serves(s: Situation) -> str:
    return f"{s.holder.node} serves"


def _serves_alone(s: Situation) -> str:
    return f"{s.holder.node} serves, but nobody could take over: {_why_not(s)}"


def _serves_maintenance(s: Situation) -> str:
    return f"{s.holder.node} serves; {_why_not(s)}"


def _why_not(s: Situation) -> str:
    return d.why_not_promotable(s, s.other)


def _latched(s: Situation) -> str:
    node, latch = s.holder.node, _latch(s)
    return f"{node} serves; two failovers within {latch}: no failback until acknowledged"


def _latch(s: Situation) -> str:
    return d.age(s.site.times.latch_seconds)


def _by_hand(s: Situation) -> str:
    return f"{s.holder.node} serves; failback to {s.other.node} is by hand"


def _soon(s: Situation) -> str:
    left = s.site.times.failback_after_seconds - d.preferred_well_seconds(s)
    return f"{s.holder.node} serves; failback to {s.other.node} in {d.age(max(left, 0))}"


def _failback(s: Situation) -> str:
    return f"Failback to {s.other.node}: {_why_back(s)}"


def _would_fail_back(s: Situation) -> str:
    return _would(s, f"failed back to {s.other.node}: {_why_back(s)}")


def _why_back(s: Situation) -> str:
    return f"well for {d.age(d.preferred_well_seconds(s))}"


def _would(s: Situation, what: str) -> str:
    why, until = (s.pause.reason, s.pause.short) if s.pause else ("", "")
    return f"Paused ({why}): would have {what}; {until}, resume to go on"


def _sick(s: Situation) -> str:
    return f"{s.holder.node} does not serve, {trouble(s.holder)}"


def _guard_tries(s: Situation) -> str:
    word = f", its guard says {s.holder.guard}" if s.holder.guard else ""
    return f"{_sick(s)}{word}: left to the guard"


def _heard(s: Situation) -> str:
    how = d.unreachable_word(s.holder)
    return f"No move: {s.holder.node} is {how}, but is heard to serve: {s.holder.detail}"


def _nobody(s: Situation) -> str:
    return f"Nobody serves: {_lost(s)}; {_why_not(s)}"


def _no_third(s: Situation) -> str:
    return f"Nobody serves: {_lost(s)}; no third failover within {_latch(s)}, acknowledge to go on"


def _lost(s: Situation) -> str:
    seen = s.holder
    if s.standing(seen) is Standing.SILENT:
        return f"{seen.node} silent for {d.age(seen.heard_seconds)}, heard by nobody"
    if d.guard_is_silent(s):
        asked = d.age(seen.asked_seconds)
        return f"{seen.node} answers but {trouble(seen)}, and its guard is silent for {asked}"
    return f"{seen.node} answers but {trouble(seen)}"


def _failover(s: Situation) -> str:
    return f"Failover to {s.other.node}: {_why_over(s)}"


def _would_fail_over(s: Situation) -> str:
    return _would(s, f"failed over to {s.other.node}: {_why_over(s)}")


def _why_over(s: Situation) -> str:
    old = s.other.memory_age_seconds or 0.0
    warning = ""
    if old > s.site.times.memory_warn_seconds:
        warning = f"; the memory there is {d.age(old)} old"
    if d.recent_failovers(s):  # told here: later the level may be the same, and nothing is told
        warning += f"; the second within {_latch(s)}, no failback until acknowledged"
    return f"{_lost(s)}{warning}"


def _quiet(s: Situation) -> str:
    return f"{s.holder.node} not heard for {d.age(s.holder.heard_seconds)}: look again"


def _just_lost(s: Situation) -> str:
    how, heard = d.unreachable_word(s.holder), d.age(s.holder.heard_seconds)
    return f"{s.holder.node} is {how}, and was heard {heard} ago: look again"


def _other_quiet(s: Situation) -> str:
    return f"{s.other.node} silent for {d.age(s.other.silent_seconds)}: look again"


OK, WARN, CRITICAL = Level.OK, Level.WARN, Level.CRITICAL

# A pause holds back moves and nothing else: its rows stand right before those that move, and so say
# what would have been done. Fence and adopt stand above them all and must go on in spite of it, or
# there could be two Joes. A stray gateway left alone is the second one. Adopt moves nobody, since
# the move was made elsewhere; by its old record T440 would lend its vote to the wrong node, and
# fence the right one.
TABLE: tuple[Row, ...] = (
    Row(ANY, d.newer_record_seen, Kind.ADOPT, WARN, _newer),
    Row(REACHED, d.other_runs_a_gateway, Kind.FENCE, CRITICAL, _fence, to_other=True),
    # serving: look at the other node, and perhaps go home
    Row(SERVING, d.other_in_maintenance, Kind.NOTHING, OK, _serves_maintenance),
    Row(SERVING, d.other_misses_probes, Kind.LOOK_AGAIN, OK, _other_quiet),
    Row(SERVING, d.other_not_promotable, Kind.NOTHING, WARN, _serves_alone),
    Row(SERVING, d.holder_preferred, Kind.NOTHING, OK, _serves),
    Row(SERVING, d.latched, Kind.NOTHING, WARN, _latched),
    Row(SERVING, d.failback_by_hand, Kind.NOTHING, OK, _by_hand),
    Row(SERVING, d.preferred_not_well_long_enough, Kind.NOTHING, OK, _soon),
    Row(SERVING, d.moves_are_paused, Kind.HOLD, OK, _would_fail_back, to_other=True),
    Row(SERVING, d.always, Kind.FAILBACK, OK, _failback, to_other=True),
    # answers, but its gateway does not
    Row(NOT_WELL, d.guard_still_tries, Kind.NOTHING, WARN, _guard_tries),
    # does not answer
    Row(HEARD, d.just_lost_sight, Kind.LOOK_AGAIN, WARN, _just_lost),
    Row(HEARD, d.always, Kind.NOTHING, WARN, _heard),
    Row(QUIET, d.always, Kind.LOOK_AGAIN, WARN, _quiet),
    # gone: the other node, if it can
    Row(GONE, d.other_not_promotable, Kind.NOTHING, CRITICAL, _nobody),
    Row(GONE, d.two_failovers_already, Kind.NOTHING, CRITICAL, _no_third),
    Row(GONE, d.moves_are_paused, Kind.HOLD, CRITICAL, _would_fail_over, to_other=True),
    Row(GONE, d.always, Kind.FAILOVER, CRITICAL, _failover, to_other=True),
)


def decide(situation: Situation) -> Decision:
    """The decision of the first row of the table that fits; the table covers every situation."""
    decision = next(row for row in TABLE if row.fits(situation)).decision(situation)
    return _with_pause(situation, decision)


def _with_pause(s: Situation, decision: Decision) -> Decision:
    """While a pause is in force every reason says so: it is the run's name, and the alert."""
    if s.pause is None or s.pause.short in decision.reason:
        return decision
    return replace(decision, reason=f"{decision.reason}; {s.pause.said}")
