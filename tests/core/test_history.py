"""What one check leaves for the next, and when a person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.decide import decide
from tasks.core.history import after_action, after_boot, is_alert_due, is_worse, remember
from tasks.core.situation import Kind, Level
from tasks.core.state import History, Moment
from tests.core.sites import A1, B2, NOW, crashed, gone, hung, idle, serving, situation


def test_an_unwell_gateway_is_counted_from_the_first_check_that_saw_it() -> None:
    first = remember(situation(A1, hung("pc-a"), idle("pc-b")))
    assert first.unwell_since == NOW.boot
    later = situation(A1, hung("pc-a"), idle("pc-b"), first)
    assert remember(replace(later, now=Moment(NOW.boot + 30, NOW.wall))).unwell_since == NOW.boot


def test_a_gateway_that_serves_again_clears_the_count() -> None:
    old = History(unwell_since=1.0)
    assert remember(situation(A1, serving("pc-a"), idle("pc-b"), old)).unwell_since is None


def test_the_preferred_node_must_be_well_without_a_break() -> None:
    well = History(preferred_well_since=5.0)
    assert remember(situation(B2, idle("pc-a"), serving("pc-b"), well)).preferred_well_since == 5.0
    away = remember(situation(B2, gone("pc-a", 3), serving("pc-b"), well))
    assert away.preferred_well_since is None


def test_after_a_boot_of_t440_ages_start_again_but_the_latch_stays() -> None:
    old = History("boot-1", 1.0, 3.0, failovers=(4.0,), latched=True)
    new = after_boot(old, "boot-2")
    assert new == History("boot-2", failovers=(4.0,), latched=True)
    assert after_boot(old, "boot-1") is old


def test_the_second_failover_within_the_hour_latches() -> None:
    s = situation(A1, gone("pc-a", 20), idle("pc-b"))
    once = after_action(s, decide(s), moved=True)
    assert (once.failovers, once.latched) == ((NOW.wall,), False)
    again = situation(A1, gone("pc-a", 20), idle("pc-b"), once)
    assert after_action(again, decide(again), moved=True).latched


def test_a_failover_that_was_not_carried_out_does_not_count() -> None:
    s = situation(A1, gone("pc-a", 20), idle("pc-b"))
    assert after_action(s, decide(s), moved=False).failovers == ()


def test_a_failback_does_not_count_as_a_failover() -> None:
    history = History(preferred_well_since=1.0)
    s = situation(B2, idle("pc-a"), serving("pc-b"), history)
    assert decide(s).kind is Kind.FAILBACK
    assert after_action(s, decide(s), moved=True).failovers == ()


def test_a_crash_that_the_guard_cannot_mend_is_failed_over_within_120_s() -> None:
    history, kinds = History(), []
    for seconds in (0, 30, 60, 90, 120):
        s = situation(A1, crashed("pc-a"), idle("pc-b"), history)
        s = replace(s, now=Moment(NOW.boot + seconds, NOW.wall + seconds))
        s = replace(s, history=remember(s))
        decision = decide(s)
        kinds.append(decision.kind)
        history = after_action(s, decision, moved=decision.kind is Kind.FAILOVER)
    assert kinds == [Kind.NOTHING] * 3 + [Kind.FAILOVER, Kind.NOTHING]


@pytest.mark.parametrize(
    ("level", "told_before", "acted", "level_now", "due"),
    [
        pytest.param("ok", 0, False, Level.OK, False, id="well as before: silent"),
        pytest.param("ok", 0, False, Level.WARN, True, id="got worse: told"),
        pytest.param("warn", 9, False, Level.WARN, False, id="still degraded: silent"),
        pytest.param("critical", 60, False, Level.CRITICAL, False, id="told a minute ago"),
        pytest.param("critical", 3600, False, Level.CRITICAL, True, id="told an hour ago"),
        pytest.param("critical", 60, False, Level.OK, True, id="the all-clear"),
        pytest.param("ok", 0, True, Level.OK, True, id="an action is told"),
    ],
)
def test_one_alert_a_change(
    level: str, told_before: float, acted: bool, level_now: Level, due: bool
) -> None:
    history = History(level=level, told_wall=NOW.wall - told_before)
    assert is_alert_due(history, level_now, NOW, 3600, acted=acted) is due


def test_worse_is_worse() -> None:
    assert is_worse("ok", Level.WARN)
    assert is_worse("warn", Level.CRITICAL)
    assert not is_worse("critical", Level.CRITICAL)
    assert not is_worse("critical", Level.OK)
    assert not is_worse("", Level.CRITICAL), "the first level is no change"
