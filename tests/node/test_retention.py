"""Which snapshots stay: by age, never by a clock that jumped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployments.node.retention import BACKUP_PLAN, DAY, FEWEST, HOUR, MEMORY_PLAN, choose_old

NOW = 1_800_000_000.0


def kept(times: dict[str, float], **more: object) -> set[str]:
    given = {"keep": (), "now": NOW, "plan": BACKUP_PLAN, **more}
    return set(times) - set(choose_old(times, **given))  # type: ignore[arg-type]


def test_a_year_of_hourly_backups_leaves_24_hours_7_days_and_4_weeks() -> None:
    times = {f"{hour:05}": NOW - hour * HOUR for hour in range(365 * 24)}
    ages = sorted((NOW - times[one]) / HOUR for one in kept(times))
    assert ages[:24] == list(range(24))
    assert 28 <= len(ages) <= 24 + 7 + 4 and 2 * 7 * 24 <= ages[-1] <= 4 * 7 * 24


def test_memory_keeps_the_last_hour_in_steps_of_five_minutes() -> None:
    times = {f"{minute:05}": NOW - minute * 60 for minute in range(0, 50_000)}
    ages = sorted((NOW - times[one]) / 60 for one in kept(times, plan=MEMORY_PLAN))
    assert 12 <= len([age for age in ages if age < 60]) <= 15
    assert ages[-1] > 30 * 24 * 60 - 7 * 24 * 60


def test_pinned_and_current_stay_however_old() -> None:
    times = {"old": NOW - 900 * DAY, **{str(n): NOW - n * HOUR for n in range(100)}}
    assert "old" in kept(times, keep={"old"})


def test_a_clock_that_jumped_ten_years_ahead_costs_no_history() -> None:
    times = {str(n): NOW - n * HOUR for n in range(24)}
    before = kept(times)
    ahead = kept({**times, "jumped": NOW + 3650 * DAY}, now=NOW + 3650 * DAY)
    assert len(before - ahead) <= 1  # the new one only takes the place of the oldest


def test_a_snapshot_of_the_future_is_never_deleted() -> None:
    times = {str(n): NOW + n * DAY for n in range(50)}
    assert kept(times) == set(times)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 2 * NOW), max_size=40))
def test_never_fewer_than_three_and_never_the_newest(times: dict[str, float]) -> None:
    left = kept(times)
    assert len(left) >= min(FEWEST, len(times))
    past = [one for one in times if times[one] <= NOW]
    assert not past or max(past, key=lambda one: (times[one], one)) in left
