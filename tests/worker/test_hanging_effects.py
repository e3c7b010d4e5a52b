"""A thread hangs in the middle of an effect, with whatever lock it holds: checks go on in time.

The worker that had to give the thread up ends and is started again, and at most one move is made.
Each case has three machines, a pool and a worker of its own; several run at once, for they wait.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from tasks.core.state import Health, Record
from tasks.journal import read_journal
from tasks.record import read_record
from tests.site_machines import Ground, ground
from tests.worker.checks import Checks, silences
from tests.worker.place import PROJECT, Server

CHECK_SECONDS = 5.0
AT_ONCE = 2
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


@contextlib.contextmanager
def scene(server: Server, folder: Path, where: str) -> Iterator[tuple[Ground, Checks, Path]]:
    """pc-a serves, pc-b has the memory, and checks are under way."""
    sync = "import sys, flows.memory_sync as m; m.memory_sync(sys.argv[1])"
    with ground(**TIMES) as place:
        place.serve()
        argv = (sys.executable, "-c", sync, str(place.site_file))
        subprocess.run(argv, env=server.environment, cwd=PROJECT, check=True, capture_output=True)
        flag = folder / "hangs"
        hanging = (sys.executable, "-m", "tests.worker.hanging", where, str(flag))
        checks = Checks(server, folder, place.site_file, CHECK_SECONDS, hanging)
        with contextlib.closing(checks):
            checks.start_worker()
            yield place, checks, flag


def carry_out(server: Server, folder: Path, where: str) -> str:
    """One case; returns what was measured."""
    with scene(server, folder, where) as (place, checks, flag):
        wait_until(lambda: bool(checks.runs()), 60, "the first check has begun")
        place.three.nodes["pc-a"].power_cut()
        cut = time.monotonic()
        wait_until(flag.exists, END_SECONDS, "it hangs")
        serves = "pc-b serves all the same"
        wait_until(lambda: place.health("pc-b") is Health.OK, END_SECONDS, serves)
        served = time.monotonic() - cut
        wait_until(lambda: not checks.stuck(30), END_SECONDS, "no run goes on for ever")
        longest = max(silences(checks.runs()))
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
