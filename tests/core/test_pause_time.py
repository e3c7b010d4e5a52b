"""When a pause is over, whatever T440's clocks do, and when a person is reminded of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.pause import MOST_SECONDS, Pause, is_over, is_reminder_due
from tasks.core.state import Moment
from tests.core.sites import NOW

HOUR = 3600.0
BEGUN = Moment(NOW.boot - HOUR, NOW.wall - HOUR)
SITE = Pause("new switch", 4 * HOUR, BEGUN, "boot-1")


def later(boot: float, wall: float) -> Moment:
    """So many hours after the pause began, by either clock."""
    return Moment(BEGUN.boot + boot * HOUR, BEGUN.wall + wall * HOUR)


@pytest.mark.parametrize(
    ("moment", "boot_id", "over"),
    [
        pytest.param(later(3.9, 3.9), "boot-1", False, id="before its time"),
        pytest.param(later(4, 4), "boot-1", True, id="at its time"),
        pytest.param(later(1, 5), "boot-1", True, id="the wall clock was set on past its end"),
        pytest.param(
            later(1, -9000), "boot-1", False, id="the wall clock was set back: it goes on"
        ),
        pytest.param(later(4, -9000), "boot-1", True, id="... but no longer than it was to last"),
        pytest.param(later(-1, 1), "boot-1", True, id="it begins later than now: not by our hand"),
        pytest.param(Moment(30, BEGUN.wall + HOUR), "boot-2", False, id="it outlives a boot"),
        pytest.param(Moment(30, BEGUN.wall + 4 * HOUR), "boot-2", True, id="and ends after a boot"),
        pytest.param(
            Moment(30, BEGUN.wall - 60), "boot-2", False, id="a clock that a boot left a bit behind"
        ),
        pytest.param(
            Moment(30, 0.0), "boot-2", True, id="a clock that a boot left in 1970 holds nothing"
        ),
        pytest.param(
            Moment(4 * HOUR, BEGUN.wall - 60),
            "boot-2",
            True,
            id="T440 has been on for longer than it was to last",
        ),
    ],
)
def test_it_is_over(moment: Moment, boot_id: str, over: bool) -> None:
    assert is_over(SITE, moment, boot_id) is over


def test_the_longest_one_is_over_after_a_week_whatever_the_wall_clock_says() -> None:
    longest = replace(SITE, seconds=MOST_SECONDS)
    week = Moment(BEGUN.boot + MOST_SECONDS, BEGUN.wall)
    assert is_over(longest, week, "boot-1")
    assert not is_over(longest, week._replace(boot=week.boot - 1), "boot-1")


@pytest.mark.parametrize(
    ("hours", "due"),
    [
        pytest.param(0, False, id="just told"),
        pytest.param(23.9, False, id="told within a day"),
        pytest.param(24, True, id="told a day ago"),
        pytest.param(-0.5, False, id="the clock was set back a little"),
        pytest.param(-48, True, id="the clock was set back by days"),
    ],
)
def test_a_person_is_reminded_daily(hours: float, due: bool) -> None:
    told = replace(SITE, seconds=MOST_SECONDS, told_wall=NOW.wall - hours * HOUR)
    assert is_reminder_due(told, NOW) is due
