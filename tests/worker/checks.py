"""A schedule of real health checks on a server, and a worker that is started again when it ends."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.demo.keeper import keeper_argv
from deployments.demo.processes import descendants, process_table, send
from tests.worker.place import PROJECT, Server

HALF_AN_HOUR = 1800.0
OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")


class Checks:
    """A pool and a deployment of their own; `argv` is the worker, without its pool's name."""

    def __init__(
        self,
        server: Server,
        folder: Path,
        site_file: Path,
        interval: float,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.server, self.folder, self.pool = server, folder, folder.name
        self.site_file, self.interval = site_file, interval
        self._argv = (*argv, "--pool", self.pool, "--grace-seconds", "1")
        self._environment = {**server.environment, **(environment or {})}
        self._worker: subprocess.Popen[bytes] | None = None
        server.request("/work_pools/", {"name": self.pool, "type": "in-process"})
        self.deployment = self._deploy()

    def _deploy(self) -> str:
        flow = self.server.request("/flows/", {"name": "health-check"})["id"]
        body = {
            "name": self.pool,
            "flow_id": flow,
            "entrypoint": "flows/health_check.py:health_check",
            "work_pool_name": self.pool,
            "parameters": {"site_file": str(self.site_file)},
            "schedules": [{"schedule": {"interval": self.interval}, "active": True}],
        }
        return str(self.server.request("/deployments/", body)["id"])

    def order(self, *ago: float) -> None:
        """Runs that were due so many seconds ago, as a schedule leaves them while it goes on."""
        for seconds in ago:
            due = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
            state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
            path = f"/deployments/{self.deployment}/create_flow_run"
            self.server.request(path, {"state": state})

    def start_worker(self) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self._worker = subprocess.Popen(
                keeper_argv(*self._argv),
                env=self._environment,
                cwd=PROJECT,
                stdout=log,
                stderr=log,
            )

    def kill_worker(self) -> None:
        """SIGKILL; its keeper starts it again."""
        assert self._worker is not None
        send(descendants(self._worker.pid, process_table()), signal.SIGKILL)

    def close(self) -> None:
        """End the worker with its keeper, and the schedule.

        What a schedule plans and nobody runs costs the server 0.1 s each to be marked as late.
        """
        with contextlib.suppress(OSError):  # a server of the test's own may be gone already
            self.server.request(f"/deployments/{self.deployment}/pause_deployment", {})
        if self._worker is not None:
            below = descendants(self._worker.pid, process_table())
            self._worker.kill()
            send(below, signal.SIGKILL)
            self._worker.wait()

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """The checks that have begun, oldest first; `wanted` is a filter of runs instead."""
        body = {
            "deployments": {"id": {"any_": [self.deployment]}},
            "flow_runs": wanted or {"start_time": {"is_null_": False}},
            "sort": "EXPECTED_START_TIME_ASC",
        }
        found: list[dict[str, Any]] = self.server.request("/flow_runs/filter", body)
        return found

    def stuck(self, seconds: float) -> list[str]:
        """Runs that were due so long ago and have not ended, each with its state."""
        before = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        open_runs = self.runs(
            state={"type": {"any_": list(OPEN)}}, expected_start_time={"before_": before}
        )
        return [
            f"{run['state_name']} since {run['state']['timestamp']}: {run['name']}, due"
            f" {run['expected_start_time']}, begun {run['start_time']}"
            for run in open_runs
        ]

    def carried_out(self, since: datetime, seconds: float = HALF_AN_HOUR) -> list[dict[str, Any]]:
        """The checks that looked at the nodes, and were due in that time."""
        until = since + timedelta(seconds=seconds)
        due = {"after_": since.isoformat(), "before_": until.isoformat()}
        names = ["Completed", "Degraded", "Failed", "Moved"]
        found = self.runs(expected_start_time=due, state={"name": {"any_": names}})
        return [run for run in found if "exception" not in (run["state"]["message"] or "")]

    def log(self) -> str:
        """What the worker has said."""
        return (self.folder / "worker.log").read_text()


def silences(runs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds between the beginnings of one check and the next."""
    begun = sorted(datetime.fromisoformat(run["start_time"]).timestamp() for run in runs)
    return [after - before for before, after in itertools.pairwise(begun)]
