"""The worker, the server, the database or the clock goes wrong: checks go on, nothing is left open.

Real checks on three machines that all cases share, for nothing happens to them. Each case has a
pool and a worker of its own, and a server where that is what goes wrong. Several run at once.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from tests.site_machines import ground
from tests.worker.checks import Checks
from tests.worker.place import PROJECT, Server
from tests.worker.wall_clock import WallClock, why_not

AT_ONCE = 2  # a case with a server of its own is half of two cores
CHECK_SECONDS = 5.0
HOUR = 3600.0
HALF_MINUTE = 30.0
GO_ON_SECONDS = 60.0
SERVER_AWAY_SECONDS = 120.0
DATABASE_LOCKED_SECONDS = 30.0
WORKER = (sys.executable, "-m", "deployments.worker")


class Ground:
    """The shared machines and server, and what a case makes for itself."""

    def __init__(self, site_file: Path, server: Server, folder: Path) -> None:
        self.site_file, self.server, self.folder = site_file, server, folder

    @contextlib.contextmanager
    def checks(
        self, server: Server | None = None, interval: float = CHECK_SECONDS
    ) -> Iterator[Checks]:
        """A schedule of checks; there is no worker yet."""
        made = Checks(server or self.server, self.folder, self.site_file, interval, WORKER)
        with contextlib.closing(made):
            yield made

    @contextlib.contextmanager
    def own_server(self, **environment: str) -> Iterator[Server]:
        server = Server(self.folder / "home", **environment)
        try:
            yield server
        finally:
            server.stop()
            server.log.close()


def wait(condition: Callable[[], bool], what: str) -> float:
    """Ask the server twice a second: more would be a load of its own."""
    return wait_until(condition, GO_ON_SECONDS, what, pause=0.5)


def checks_go_on(checks: Checks, since: datetime) -> str:
    """Wait until a check that was due later has looked, and nothing from before is left open."""
    took = wait(lambda: bool(checks.carried_out(since)), "a check looks")
    try:
        wait(lambda: not checks.stuck(30), "no run is left open")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {checks.stuck(30)}") from None
    wait(lambda: len(checks.carried_out(since)) >= 3, "and the next ones")
    return f"a check looked {took:.1f} s later; {began(checks)} of {len(checks.runs())} runs began"


def began(checks: Checks) -> int:
    """How many runs were run; the others were skipped, which costs a request each."""
    return sum(run["run_count"] > 0 for run in checks.runs())


def the_worker_is_away_for_an_hour(given: Ground) -> str:
    with given.checks() as checks:
        checks.order(*(HOUR - 30 * turn for turn in range(118)))
        checks.start_worker()
        told = checks_go_on(checks, datetime.now(UTC))
        assert began(checks) < 40, f"{began(checks)} runs began: a flood"
        return told


def the_worker_is_killed_again_and_again(given: Ground) -> str:
    """Each time while it has some run that is claimed, or is at work on it."""
    chance = random.Random(7)
    with given.checks(interval=1.0) as checks:
        checks.start_worker()
        wait(lambda: bool(checks.runs()), "the first check has begun")
        for _ in range(6):
            time.sleep(4 + 2 * chance.random())  # a worker's start, and then any moment of its work
            checks.kill_worker()
        killed = [run for run in checks.runs() if run["state_name"] in ("Running", "Pending")]
        return f"{len(killed)} open at the last kill; {checks_go_on(checks, datetime.now(UTC))}"


def the_server_is_away_for_two_minutes(given: Ground) -> str:
    with given.own_server() as server, given.checks(server) as checks:
        checks.start_worker()
        wait(lambda: bool(checks.runs()), "the first check has begun")
        server.stop()
        time.sleep(SERVER_AWAY_SECONDS)
        server.start()
        return checks_go_on(checks, datetime.now(UTC))


def the_database_is_locked(given: Ground) -> str:
    with given.own_server() as server, given.checks(server) as checks:
        checks.start_worker()
        wait(lambda: bool(checks.runs()), "the first check has begun")
        with contextlib.closing(sqlite3.connect(server.home / "prefect.db", 30)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(DATABASE_LOCKED_SECONDS)
            other.rollback()
        return checks_go_on(checks, datetime.now(UTC))


def the_wall_clock_is_set(given: Ground, seconds: int) -> str:
    """Of the server and the worker alone; the clocks that nobody sets go on."""
    if why := why_not():
        pytest.skip(why)
    clock = WallClock(given.folder)
    with (
        given.own_server(**clock.environment) as server,
        given.checks(server, HALF_MINUTE) as checks,
    ):
        checks.start_worker()
        begun = datetime.now(UTC)
        wait(lambda: bool(checks.carried_out(begun)), "the first check has looked")
        clock.set(seconds)
        since = datetime.now(UTC) + timedelta(seconds=seconds)
        took = wait(lambda: bool(checks.carried_out(since)), "a check looks")
        wait(lambda: len(checks.carried_out(since)) >= 2, "and the next one")
        assert "the wall clock was set by" in checks.log()
        return f"a check looked {took:.1f} s later"


CASES: dict[str, Callable[[Ground], str]] = {
    "the worker is away for an hour": the_worker_is_away_for_an_hour,
    "the worker is killed again and again": the_worker_is_killed_again_and_again,
    "the server is away for two minutes": the_server_is_away_for_two_minutes,
    "the database is locked for half a minute": the_database_is_locked,
    "the clock is set back by an hour": lambda given: the_wall_clock_is_set(given, -3600),
    "the clock is set forward by an hour": lambda given: the_wall_clock_is_set(given, 3600),
}


@pytest.fixture(scope="module")
def outcomes(
    server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[str]]]:
    chosen = " ".join(item.name for item in request.session.items)
    sync = "import sys, flows.memory_sync as m; m.memory_sync(sys.argv[1])"
    with ground(check_seconds=CHECK_SECONDS) as place, ThreadPoolExecutor(AT_ONCE) as pool:
        place.serve()
        argv = (sys.executable, "-c", sync, str(place.site_file))
        subprocess.run(argv, env=server.environment, cwd=PROJECT, check=True, capture_output=True)
        yield {
            name: pool.submit(
                case, Ground(place.site_file, server, tmp_path_factory.mktemp("case"))
            )
            for name, case in CASES.items()
            if f"[{name}]" in chosen
        }


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
def test_checks_go_on_after(name: str, outcomes: dict[str, Future[str]]) -> None:
    print(outcomes[name].result())
