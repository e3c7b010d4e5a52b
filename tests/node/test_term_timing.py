"""The numbers of the term protocol and the rules between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments.node.timing import Timing, broken_inequalities


def test_the_default_numbers_hold_all_rules() -> None:
    assert list(broken_inequalities(Timing())) == []


def test_the_margin_covers_a_clean_stop_and_a_hung_guard() -> None:
    assert Timing().margin == 7.0
    assert Timing(kill_budget=8.0).margin == 10.0  # 2g + K + 1
    assert Timing(guard_watchdog=9.0).margin == 10.0  # w + 1


BROKEN = {
    "a term too short for a lost ask": (
        {"term": 11.0, "silence": 5.0, "longest_pause": 0.0},
        "the term less its margin, L - M = 4 s must be at least two asks and a probe = 5 s",
    ),
    "a term too short for a network pause": (
        {"term": 18.0, "silence": 12.0},
        "the term less its margin, L - M = 11 s must be at least"
        " a network pause, an ask and 1 s = 12 s",
    ),
    "a watchdog that a freeze sets off": (
        {"guard_watchdog": 5.5},
        "the guard's watchdog w = 5.5 s must be more than a tick and the longest freeze = 5.5 s",
    ),
    "clocks that drift more than the slack": (
        {"drift": 0.03},
        "the clock slack C = 1 s must be at least twice the drift in a term = 1.2 s",
    ),
    "a slack under a second": (
        {"clock_slack": 0.5},
        "the clock slack C = 0.5 s must be at least 1 s = 1 s",
    ),
    "a silence that outlasts the vote": (
        {"silence": 17.0},
        "the time a vote is lent, L + C = 21 s must be at least"
        " silence, a probe, an ask and 1 s = 22 s",
    ),
    "a check that comes too late": (
        {"check": 40.0},
        "the promised takeover = 45 s must be at least a takeover found by a check = 52.5 s",
    ),
    "a takeover after silence that comes too late": (
        {"gateway_start": 17.0, "check": 5.0, "takeover": 35.0},
        "the promised takeover = 35 s must be at least a takeover found by silence = 39.5 s",
    ),
}


@pytest.mark.parametrize(("numbers", "sentence"), BROKEN.values(), ids=BROKEN)
def test_refused_with_both_numbers(numbers: dict[str, float], sentence: str) -> None:
    assert sentence in list(broken_inequalities(replace(Timing(), **numbers)))
