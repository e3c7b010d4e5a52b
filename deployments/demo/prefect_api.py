"""What the demo and the tests ask of a Prefect server: its runs, and new ones by hand."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from .processes import wait_until

BUSY_SECONDS = 20.0
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def request_json(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """POST `body`, or GET when there is none, as JSON; None for an empty answer. Raises OSError.

    A server whose SQLite is busy answers 503 and has done nothing: then it is asked again.
    """
    request = urllib.request.Request(  # noqa: S310 - http:
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=15) as response:  # noqa: S310 - http:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > end:
                raise
        time.sleep(0.2)


class PrefectApi(ABC):
    """The questions; how a request reaches the server is for the subclass to say."""

    @abstractmethod
    def request(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST `body`, or GET when there is none, as JSON. Raises OSError."""

    def answers(self) -> bool:
        """Whether the server is there."""
        with contextlib.suppress(OSError, ValueError):
            return self.request("/health") is True
        return False

    def runs(self, flow: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest runs of a flow, newest first; those that never started are left out."""
        body = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"start_time": {"is_null_": False}},
            "sort": "START_TIME_DESC",
            "limit": limit,
        }
        found: list[dict[str, Any]] = self.request("/flow_runs/filter", body)
        return found

    def start_run(self, deployment: str, **parameters: Any) -> str:
        """Start a deployment's run by hand, as its form in the UI does; returns the run's id."""
        found = self.request(f"/deployments/name/{deployment}")
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.request(f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def wait_for_run(self, run_id: str, seconds: float) -> dict[str, Any]:
        """The run once it has ended. Raises TimeoutError after `seconds`."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.request(f"/flow_runs/{run_id}"))
            return found["state_type"] in FINAL

        wait_until(ended, seconds, f"run {run_id} ends")
        return found
