"""Every time of the system, in seconds, with its default and the rules between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Assumptions behind the rules: a host may freeze for 5 s and a link pause for 10 s without a stop;
# two clocks drift apart by at most 1 in 1,000; a schedule fires up to 0.5 s late.
LONGEST_FREEZE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 10.0
DRIFT = 0.001
SCHEDULE_JITTER_SECONDS = 0.5
TAKEOVER_GOAL_SECONDS = 45.0
TRIGGER_SECONDS = 1.0


def _seconds(default: float, description: str, *, low: float = 0.1) -> Any:
    return Field(default=default, ge=low, le=10_000_000, description=description)


class Times(BaseModel):
    """All times; each can be set in the site file under `times`. The margin M is computed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check_seconds: float = _seconds(30, "between two health checks")
    sync_seconds: float = _seconds(300, "between two memory syncs")
    backup_seconds: float = _seconds(3600, "between two backups of a tier")
    scrub_seconds: float = _seconds(3600, "between two scrubs, each of 1/24 of every store")
    drill_seconds: float = _seconds(86_400, "between two rehearsals of a restore")
    doctor_seconds: float = _seconds(86_400, "between two looks whether a failover would work")
    failback_after_seconds: float = _seconds(300, "the preferred node must be well for so long")
    restart_grace_seconds: float = _seconds(
        20, "an unwell gateway is left alone for so long, one that starts for three times as long"
    )
    restart_watch_seconds: float = _seconds(60, "after a restart in place, before a failover")
    memory_warn_seconds: float = _seconds(900, "older memory is promoted with a warning")
    memory_limit_seconds: float = _seconds(86_400, "older memory is not promoted")
    watch_seconds: float = _seconds(60, "a promoted gateway must answer within so long")
    latch_seconds: float = _seconds(3600, "two failovers within so long latch")
    stale_seconds: float = _seconds(20, "a check that starts so late does nothing")
    reminder_seconds: float = _seconds(3600, "a critical state is repeated so often")
    drain_limit_seconds: float = _seconds(60, "a running agent may take so long to finish")
    final_sync_limit_seconds: float = _seconds(120, "the last sync of a move may take so long")
    pull_limit_seconds: float = _seconds(240, "one pull may take so long")

    term_seconds: float = _seconds(20, "L: how long a vote lets a node serve")
    clock_margin_seconds: float = _seconds(1, "C: a vote stays lent so much longer than the term")
    kill_budget_seconds: float = _seconds(5, "K: from SIGTERM to SIGKILL")
    guard_tick_seconds: float = _seconds(0.5, "g: between two looks of the guard")
    guard_watchdog_seconds: float = _seconds(6, "w: a guard that hangs so long is killed")
    silence_seconds: float = _seconds(14, "H: a node silent for so long is taken for gone")
    ask_seconds: float = _seconds(1, "between two asks of a guard")
    probe_seconds: float = _seconds(3, "p: deadline of one probe")
    start_seconds: float = _seconds(6, "S: a gateway's start, as expected")
    heard_seconds: float = _seconds(3, "a node heard serving so recently serves")
    other_heard_seconds: float = _seconds(6, "the other node must have been heard so recently")

    @property
    def margin_seconds(self) -> float:
        """M: the part of a term in which the gateway must be on its way out."""
        tick, kill = self.guard_tick_seconds, self.kill_budget_seconds
        return max(2 * tick + kill + 1, self.guard_watchdog_seconds + 1)

    @property
    def look_limit_seconds(self) -> float:
        """Deadline of observe and decide: the silence H, one probe more, and slack."""
        return max(25.0, self.silence_seconds + 2 * self.probe_seconds + 2)

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = list(broken_rules(self))
        if broken:
            raise ValueError("; ".join(broken))
        return self


def broken_rules(t: Times) -> Iterator[str]:
    """The rules that do not hold, each with both numbers."""
    term, margin, ask, probe = t.term_seconds, t.margin_seconds, t.ask_seconds, t.probe_seconds
    usable = term - margin
    lent = term + t.clock_margin_seconds
    head = f"term_seconds {term:g}s - margin {margin:g}s = {usable:g}s"
    if usable < 2 * ask + probe:
        yield f"{head} must be >= 2 asks of {ask:g}s + probe {probe:g}s = {2 * ask + probe:g}s"
    pause = LONGEST_PAUSE_SECONDS + ask + 1
    if usable < pause:
        yield f"{head} must be >= a pause of {LONGEST_PAUSE_SECONDS:g}s + ask {ask:g}s + 1s"
    freeze = t.guard_tick_seconds + LONGEST_FREEZE_SECONDS
    if t.guard_watchdog_seconds <= freeze:
        yield (
            f"guard_watchdog_seconds {t.guard_watchdog_seconds:g}s must be > guard tick"
            f" {t.guard_tick_seconds:g}s + a freeze of {LONGEST_FREEZE_SECONDS:g}s = {freeze:g}s"
        )
    drift = max(1.0, 2 * DRIFT * term)
    if t.clock_margin_seconds < drift:
        yield f"clock_margin_seconds {t.clock_margin_seconds:g}s must be >= {drift:g}s (drift)"
    asked = t.silence_seconds + 1 + probe + ask
    if asked > lent:
        yield (
            f"silence_seconds {t.silence_seconds:g}s + 1s + probe {probe:g}s + ask {ask:g}s ="
            f" {asked:g}s must be <= term {term:g}s + clock margin = {lent:g}s"
        )
    yield from _slow_takeovers(t, lent)


def _slow_takeovers(t: Times, lent: float) -> Iterator[str]:
    start = t.ask_seconds + t.guard_tick_seconds + t.start_seconds
    seen = t.probe_seconds + t.ask_seconds
    paths = {
        "check": t.check_seconds + SCHEDULE_JITTER_SECONDS + seen,
        "event": t.silence_seconds + TRIGGER_SECONDS + seen,
    }
    for name, noticed in paths.items():
        takeover = max(noticed, lent) + start
        if takeover > TAKEOVER_GOAL_SECONDS:
            yield (
                f"takeover by the {name} path takes {takeover:g}s, must be <="
                f" {TAKEOVER_GOAL_SECONDS:g}s (check {t.check_seconds:g}s, silence"
                f" {t.silence_seconds:g}s, term {t.term_seconds:g}s, start {t.start_seconds:g}s)"
            )
