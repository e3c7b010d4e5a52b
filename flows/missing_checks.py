"""Prefect's own dead man's switch: no health check has completed for two minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow

from tasks.core.history import is_alert_due
from tasks.core.situation import Level, age
from tasks.journal import check_lock, load_history, now, save_history
from tasks.notify import alert
from tasks.runs import last_completed, rename_run
from tasks.sites import DEFAULT_SITE, load_site

CHECK = "health-check"


@flow(name="missing-checks", flow_run_name="Are checks missing?")
def missing_checks(site_file: Path = DEFAULT_SITE) -> str:
    """Tell people that no health check has completed for too long, once and then hourly.

    An automation starts it, on the pool of the copies, for that of the checks may be the one that
    is down. It fires again and again and sometimes for nothing: so it looks itself.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    last = last_completed(CHECK)
    limit = 4 * site.times.check_seconds
    silent = limit if last is None else (datetime.now(UTC) - last).total_seconds()
    if silent < limit:
        told = f"No: the last check completed {age(silent)} ago"
    else:
        told = f"No health check has completed for {age(silent)}: is the worker of pool watch up?"
        with check_lock(site):
            history, reminder = load_history(site), site.times.reminder_seconds
            is_due = is_alert_due(history, Level.CRITICAL, now(), reminder, acted=False)
            if is_due:  # and the next check that finds all well gives the all-clear
                level = Level.CRITICAL.value
                save_history(site, replace(history, level=level, told_wall=now().wall))
        if is_due:
            alert(site, Level.CRITICAL, told)
    rename_run(told)
    return told
