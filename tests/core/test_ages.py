"""Which backups are too old: 1.5 and 3 intervals, and what was never made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.ages import old_backups
from tests.core.sites import A1, NOW, idle, serving, situation

HOUR = 3600.0
FRESH = {"oc-core": 60.0, "oc-work": 60.0, "t440": 60.0}


@pytest.mark.parametrize(
    ("ages", "record_hours", "lines"),
    [
        pytest.param(FRESH, 100, [], id="all are new"),
        pytest.param({**FRESH, "oc-core": 1.5 * HOUR}, 100, [], id="at the first limit"),
        pytest.param(
            {**FRESH, "oc-core": 1.6 * HOUR},
            100,
            ["oc-core: no verified backup for over 90 min"],
            id="above the first limit",
        ),
        pytest.param(
            {**FRESH, "oc-core": 2.9 * HOUR},
            100,
            ["oc-core: no verified backup for over 90 min"],
            id="the sentence stays while it grows older",
        ),
        pytest.param(
            {**FRESH, "oc-core": 70 * HOUR},
            100,
            ["oc-core: no verified backup for over 3 h"],
            id="above the second limit",
        ),
        pytest.param({"oc-core": 60.0}, 1, [], id="one was never made, and could not yet be"),
        pytest.param(
            {"oc-core": 60.0, "t440": 60.0},
            2,
            ["oc-work: no verified backup for over 90 min"],
            id="one was never made",
        ),
        pytest.param(
            {},
            4,
            [
                "oc-core: no verified backup for over 3 h",
                "oc-work: no verified backup for over 3 h",
                "t440: no verified backup for over 3 h",
            ],
            id="none was ever made",
        ),
        pytest.param({**FRESH, "other": 99 * HOUR}, 9, [], id="what is no source any more"),
    ],
)
def test_row(ages: dict[str, float], record_hours: float, lines: list[str]) -> None:
    seen = idle("pc-b", backup_ages=ages)
    s = replace(situation(A1, serving("pc-a"), seen), record_since=NOW.wall - record_hours * HOUR)
    assert old_backups(s, seen) == lines
