"""Tell a person: one alert a change, and only what was observed."""

from __future__ import annotations

import logging

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.journal import write_journal

_LOG_LEVEL = {
    Level.OK: logging.INFO,
    Level.WARN: logging.WARNING,
    Level.CRITICAL: logging.CRITICAL,
}


@task(name="alert", cache_policy=NO_CACHE)
def alert(site: Site, level: Level, text: str) -> None:
    """One alert: a line in the journal and in the run's log."""
    write_journal(site, "alert", level=level.value, text=text)
    get_run_logger().log(_LOG_LEVEL[level], "%s", text)
