"""Runs that are left behind at the end of a soak are named; those under way are not."""

from __future__ import annotations

from typing import Any

import pytest

from .ending import left_behind
from .run import seconds_of

NOW = seconds_of("2026-01-01T00:10:00+00:00")
CASES = {
    "due in a moment": ("SCHEDULED", "2026-01-01T00:10:03+00:00", ""),
    "just late": ("SCHEDULED", "2026-01-01T00:09:30+00:00", ""),
    "never taken": ("SCHEDULED", "2026-01-01T00:08:30+00:00", "one (id): Scheduled for 90 s"),
    "under way": ("RUNNING", "2026-01-01T00:09:50Z", ""),
    "killed, and nobody said so": (
        "RUNNING",
        "2026-01-01T00:07:00Z",
        "one (id): Running for 180 s",
    ),
    "taken by a worker that was killed": (
        "PENDING",
        "2026-01-01T00:07:00Z",
        "one (id): Pending for 180 s",
    ),
}


@pytest.mark.parametrize(("state", "since", "sentence"), CASES.values(), ids=CASES.keys())
def test_a_run(state: str, since: str, sentence: str) -> None:
    run: dict[str, Any] = {
        "id": "id",
        "name": "one",
        "state_type": state,
        "state_name": state.capitalize(),
        "state": {"timestamp": "2026-01-01T00:00:00Z" if state == "SCHEDULED" else since},
        "expected_start_time": since,
    }
    assert left_behind([run], NOW) == ([sentence] if sentence else [])


def test_a_stamp_of_the_journal_is_utc() -> None:
    assert seconds_of("2026-01-01T00:10:00Z") == seconds_of("2026-01-01T00:10:00") == NOW
