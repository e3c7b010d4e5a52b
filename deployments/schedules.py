"""prefect.yaml with the intervals of a site: they are the site file's times, not written twice."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.core.times import Times

# slug of a schedule in prefect.yaml -> the time in the site file
INTERVALS = {
    "check": "check_seconds",
    "sync": "sync_seconds",
    "backup": "backup_seconds",
    "scrub": "scrub_seconds",
    "drill": "drill_seconds",
    "doctor": "doctor_seconds",
}


def with_intervals(
    document: dict[str, Any], times: Times, anchor: datetime | None = None
) -> dict[str, Any]:
    """prefect.yaml's content with each schedule's interval taken from the site's times.

    `anchor`: the moment from which intervals count, instead of the dates in the file; a schedule's
    offset within its interval (the stagger of the backups) is kept in proportion.
    Raises KeyError for a schedule whose slug stands for no time.
    """
    result = copy.deepcopy(document)
    for deployment in result["deployments"]:
        for schedule in deployment.get("schedules", ()):
            written, wanted = schedule["interval"], getattr(times, INTERVALS[schedule["slug"]])
            schedule["interval"] = wanted
            if anchor is not None:
                offset = _offset_seconds(schedule["anchor_date"], written) * wanted / written
                schedule["anchor_date"] = (anchor + timedelta(seconds=offset)).isoformat()
    return result


def _offset_seconds(anchor_date: str, interval: float) -> float:
    """Where in its interval a schedule fires, seconds after the interval's start in UTC."""
    return datetime.fromisoformat(anchor_date).astimezone(UTC).timestamp() % interval
