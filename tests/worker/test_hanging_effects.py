"""A thread hangs in the middle of an effect, with whatever lock it holds: checks go on in time.

The worker that had to give the thread up ends and is started again, and at most one move is made.
Each case has three machines, a pool and a worker of its own; several run at once, for they wait.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.keeper import keeper_argv
from deployments.demo.processes import wait_until
from tasks.core.state import Health, Record
from tasks.journal import read_journal
from tasks.record import read_record
from tests.site_machines import Ground, ground
from tests.worker.place import PROJECT, Server

CHECK_SECONDS = 5.0
AT_ONCE = 3
TIMES: dict[str, Any] = {
    "check_seconds": CHECK_SECONDS,
    "stale_seconds": 20,
    "watch_seconds": 6,
    "final_sync_limit_seconds": 5,
    "drain_limit_seconds": 2,
}
END_SECONDS = 150
# A worker's start, its next query, and a check that had just begun when the old one ended.
LONGEST_SILENCE_SECONDS = 20.0


# What a check does once pc-a has lost its power -> the function whose first call hangs.
PLACES = {
    "it looks at the nodes": "tasks/observe.py:look",
    "it keeps the history, inside the check's lock": "tasks/journal.py:save_history",
    "it begins the move, inside the move's lock": "tasks/move.py:Drive.run",
    "it writes the record": "tasks/record.py:write_record",
    "it writes the journal, after the one write": "tasks/journal.py:write_journal",
    "it looks whether the other node serves": "tasks/gateway.py:is_serving",
    "it tells people": "tasks/notify.py:alert",
}


class Site:
    """Three machines, and a schedule of real checks that a restarted worker carries out."""

    def __init__(self, place: Ground, server: Server, folder: Path, where: str) -> None:
        self.place, self.server, self.pool = place, server, folder.name
        self.flag = folder / "hangs"
        server.request("/work_pools/", {"name": self.pool, "type": "in-process"})
        flow = server.request("/flows/", {"name": "health-check"})["id"]
        self.deployment = server.request(
            "/deployments/",
            {
                "name": self.pool,
                "flow_id": flow,
                "entrypoint": "flows/health_check.py:health_check",
                "work_pool_name": self.pool,
                "parameters": {"site_file": str(place.site_file)},
                "schedules": [{"schedule": {"interval": CHECK_SECONDS}, "active": True}],
            },
        )["id"]
        words = ("--pool", self.pool, "--grace-seconds", "1")
        hanging = (sys.executable, "-m", "tests.worker.hanging", where, str(self.flag), *words)
        with (folder / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(
                keeper_argv(*hanging),
                env=server.environment,
                cwd=PROJECT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def runs(self) -> list[dict[str, Any]]:
        """Every check that has begun, oldest first."""
        body = {
            "deployments": {"id": {"any_": [self.deployment]}},
            "flow_runs": {"start_time": {"is_null_": False}},
            "sort": "START_TIME_ASC",
        }
        found: list[dict[str, Any]] = self.server.request("/flow_runs/filter", body)
        return found

    def close(self) -> None:
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.server.request(f"/deployments/{self.deployment}/pause_deployment", {})


def silences(runs: list[dict[str, Any]]) -> list[float]:
    """Seconds between the beginnings of one check and the next."""
    begun = [datetime.fromisoformat(run["start_time"]).timestamp() for run in runs]
    return [after - before for before, after in itertools.pairwise(begun)]


@contextlib.contextmanager
def scene(server: Server, folder: Path, where: str) -> Iterator[Site]:
    """pc-a serves, pc-b has the memory, and checks are under way."""
    sync = "import sys, flows.memory_sync as m; m.memory_sync(sys.argv[1])"
    with ground(**TIMES) as place:
        place.serve()
        argv = (sys.executable, "-c", sync, str(place.site_file))
        subprocess.run(argv, env=server.environment, cwd=PROJECT, check=True, capture_output=True)
        with contextlib.closing(Site(place, server, folder, where)) as site:
            yield site


def carry_out(server: Server, folder: Path, where: str) -> str:
    """One case; returns what was measured."""
    with scene(server, folder, where) as site:
        place = site.place
        wait_until(lambda: bool(site.runs()), 60, "the first check has begun")
        place.three.nodes["pc-a"].power_cut()
        cut = time.monotonic()
        wait_until(site.flag.exists, END_SECONDS, "it hangs")
        wait_until(
            lambda: place.health("pc-b") is Health.OK, END_SECONDS, "pc-b serves all the same"
        )
        served = time.monotonic() - cut

        def is_over() -> bool:
            return not any(run["state_type"] == "RUNNING" for run in site.runs()[:-1])

        wait_until(is_over, END_SECONDS, "no run but the last is still running")
        longest = max(silences(site.runs()))
        assert longest <= LONGEST_SILENCE_SECONDS
        assert read_record(place.site) == Record(2, "pc-b")
        moved = [entry for entry in read_journal(place.site) if entry["kind"] == "move"]
        assert len(moved) <= 1
        return f"pc-b served after {served:.0f} s, longest silence {longest:.1f} s"


@pytest.fixture(scope="module")
def outcomes(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[str]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(carry_out, server, tmp_path_factory.mktemp("case"), place)
            for name, place in PLACES.items()
        }


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PLACES)
def test_a_thread_hangs_while(name: str, outcomes: dict[str, Future[str]]) -> None:
    print(outcomes[name].result())
