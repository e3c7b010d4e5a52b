"""Keeps the schedules of Prefect's server filled when the wall clock is set.

Prefect plans by the wall clock: set back by an hour, it plans nothing for an hour, for what it has
planned is still to come; set forward, all of that is due at once, and the next runs are planned a
minute later. So the worker has each schedule planned again when it sees a step, and now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import Logger, LoggerAdapter

from prefect.client.orchestration import PrefectClient

STEP_SECONDS = 10.0
EVERY_SECONDS = 600.0


class Rescheduling:
    """Told each turn of a worker; `client` says which client to use."""

    def __init__(
        self, client: Callable[[], PrefectClient], logger: Logger | LoggerAdapter[Logger]
    ) -> None:
        self._client, self._logger = client, logger
        self._apart = wall_apart()
        self._due = 0.0

    async def turn(self) -> None:
        """Plan again if it is time. Raises httpx.HTTPError, to be tried again."""
        step = wall_apart() - self._apart
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        if abs(step) < STEP_SECONDS and now < self._due:
            return
        if abs(step) >= STEP_SECONDS:
            self._logger.warning("the wall clock was set by %+.0f s: planning again", step)
        for deployment in await self._client().read_deployments():
            if any(schedule.active for schedule in deployment.schedules):
                await self._plan(str(deployment.id))
        self._apart += step
        self._due = now + EVERY_SECONDS

    async def _plan(self, deployment: str) -> None:
        """What is planned already stays as it is."""
        place, body = {"id": deployment}, dict[str, str]()
        await self._client().request(
            "POST", "/deployments/{id}/schedule", path_params=place, json=body
        )


def wall_apart() -> float:
    """Seconds between the wall clock and the clock that nobody sets."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
