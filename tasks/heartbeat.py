"""A sign of life to somebody outside: who misses it can tell that T440 is gone."""

from __future__ import annotations

import os

import httpx
from prefect.logging import get_run_logger

ADDRESS = "DUALJOE_HEARTBEAT"
"""Environment variable: a URL that each check gets, as healthchecks.io and others offer it."""
SECONDS = 3.0


def beat() -> bool:
    """GET the heartbeat's URL, if there is one; whether it was taken. Never an error."""
    address = os.environ.get(ADDRESS)
    if not address:
        return False
    try:
        return httpx.get(address, timeout=SECONDS).is_success
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # its text could hold the URL, a secret
        get_run_logger().warning("the heartbeat was not taken: %s", type(error).__name__)
        return False
