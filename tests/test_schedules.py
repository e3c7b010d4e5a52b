"""Schedules: their intervals are the site's times, and the stagger of the backups is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.schedules import with_intervals
from tasks.core.times import Times

FILE = Path(__file__).parents[1] / "prefect.yaml"
START = datetime(2026, 11, 24, 22, 7, 13, tzinfo=UTC)


@pytest.fixture
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def schedules(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Flow -> its schedule."""
    return {
        deployment["entrypoint"].rpartition(":")[2]: deployment["schedules"][0]
        for deployment in document["deployments"]
        if "schedules" in deployment
    }


def test_prefect_yaml_holds_the_defaults_of_the_site_file(document: dict[str, Any]) -> None:
    assert schedules(with_intervals(document, Times())) == schedules(document)


def test_every_flow_of_the_site_is_deployed_under_its_name(document: dict[str, Any]) -> None:
    assert {one["name"] for one in document["deployments"]} == {"joe"}
    assert set(schedules(document)) == {
        "health_check",
        "memory_sync",
        "backup_primary_tier",
        "backup_dr_tier",
        "scrub",
        "drill",
        "doctor",
    }
    assert not any("concurrency_limit" in one for one in document["deployments"])


def test_the_backups_are_staggered_by_half_an_hour(document: dict[str, Any]) -> None:
    found = schedules(document)
    dates = (found[f"backup_{tier}_tier"]["anchor_date"] for tier in ("primary", "dr"))
    primary, dr = map(datetime.fromisoformat, dates)
    assert (dr - primary).total_seconds() == 1800


def test_ten_times_as_fast_the_stagger_is_kept_and_counts_from_the_start(
    document: dict[str, Any],
) -> None:
    times = Times(
        check_seconds=3,
        sync_seconds=30,
        backup_seconds=60,
        scrub_seconds=60,
        drill_seconds=600,
        doctor_seconds=600,
    )
    found = schedules(with_intervals(document, times, START))
    assert {flow: one["interval"] for flow, one in found.items()} == {
        "health_check": 3,
        "memory_sync": 30,
        "backup_primary_tier": 60,
        "backup_dr_tier": 60,
        "scrub": 60,
        "drill": 600,
        "doctor": 600,
    }
    offsets = {
        flow: (datetime.fromisoformat(one["anchor_date"]) - START).total_seconds()
        for flow, one in found.items()
    }
    assert (offsets["backup_primary_tier"], offsets["backup_dr_tier"]) == (0, 30)


def test_a_schedule_that_stands_for_no_time_is_refused(document: dict[str, Any]) -> None:
    document["deployments"][0]["schedules"][0]["slug"] = "now-and-then"
    with pytest.raises(KeyError, match="now-and-then"):
        with_intervals(document, Times())
