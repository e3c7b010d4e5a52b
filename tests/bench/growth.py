"""`python -m tests.bench.growth`: how much the database grows in a day, measured in half an hour.

All runs of 24 hours are ordered evenly in that time, and what is kept for hours is kept for as much
less. The memory changes all the time, so that each sync has something to carry. A machine that is
too slow for so many processes skips syncs: so a day is also told as so many whole runs.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployments.demo.processes import wait_until
from deployments.settings import read_settings
from tests.bench.checks import sleep_until
from tests.bench.progress import say
from tests.bench.world import CHECK, DR, PRIMARY, SYNC, World, world

DAY_SECONDS, HOURS = 86400.0, 24
RUNS_A_DAY = {
    CHECK: 2880,
    SYNC: 288,
    PRIMARY: 24,
    DR: 24,
    "scrub/joe": 24,
    "drill/joe": 1,
    "doctor/joe": 1,
}
EVENT_HOURS = 3
GOAL = 60e6  # bytes a day
WRITE_SECONDS = 5.0
LARGEST = 12
WHOLE = (
    "WITH mine AS (SELECT r.id FROM flow_run r JOIN flow f ON f.id = r.flow_id"
    " WHERE f.name = ? AND r.state_type IN ('COMPLETED', 'FAILED')"
    " AND r.state_name NOT IN ('Skipped', 'Stale')),"
    " tasks AS (SELECT id FROM task_run WHERE flow_run_id IN mine)"
)
ROWS = {
    "flow_run": "SELECT count(*) FROM mine",
    "flow_run_state": "SELECT count(*) FROM flow_run_state WHERE flow_run_id IN mine",
    "task_run": "SELECT count(*) FROM tasks",
    "task_run_state": "SELECT count(*) FROM task_run_state WHERE task_run_id IN tasks",
    "log": "SELECT count(*) FROM log WHERE flow_run_id IN mine",
}
EVENTS = "PREFECT_SERVER_EVENTS_RETENTION_PERIOD"
RUNS = "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"
LOOP = "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS"
OFTEN = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_PREFETCH_SECONDS": "4"}


def main() -> int:
    """Measure, an hour of the day at a time; 1 when the day's growth is above the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="what the day takes (30)")
    options = parser.parse_args()
    speed = DAY_SECONDS / (options.minutes * 60)
    with world(faster(read_settings(), speed), write_seconds=WRITE_SECONDS) as place:
        database = place.server.home / "prefect.db"
        sizes = [used(database)]
        for hour, orders in enumerate(day(options.minutes * 60), start=1):
            for moment, deployment in orders:
                sleep_until(moment)
                place.order(deployment)
            sizes.append(used(database))
            say(f"hour {hour}: {sizes[-1] / 1e6:.1f} MB, the file {file_size(database) / 1e6:.1f}")
        states = await_end(place)
        whole = a_run(database)
        tell(sizes, states, tables(database), whole)
    return 1 if a_day(whole) > GOAL else 0


def faster(settings: Mapping[str, str], speed: float) -> dict[str, str]:
    """Retention in a day that is so much shorter, and workers that ask often enough for it: a sync
    that begins 10 s late would find the next one due, and skip.

    Raises ValueError when retention is not as is known.
    """
    if settings[EVENTS] != f"PT{EVENT_HOURS}H":
        raise ValueError(f"{EVENTS} is {settings[EVENTS]}, not PT{EVENT_HOURS}H")
    seconds = EVENT_HOURS * 3600 / speed
    shorter = {name: f"{float(settings[name]) / speed:.0f}" for name in (RUNS, LOOP)}
    return {EVENTS: f"PT{seconds:.0f}S", **shorter, **OFTEN}


def day(seconds: float) -> Iterator[list[tuple[float, str]]]:
    """For each of the 24 hours the moments, from now on, at which runs are ordered."""
    begun, hour = time.monotonic(), seconds / HOURS
    dues = sorted(
        (begun + seconds * (number + 0.5) / count, deployment)
        for deployment, count in RUNS_A_DAY.items()
        for number in range(count)
    )
    for number in range(HOURS):
        first = begun + number * hour
        yield [due for due in dues if first <= due[0] < first + hour]
        sleep_until(first + hour)


def await_end(place: World) -> Counter[str]:
    """How many runs ended in which state, once none is open any more."""

    def read_states() -> Counter[str]:
        with contextlib.closing(connect(place.server.home / "prefect.db")) as database:
            rows = database.execute("SELECT state_name, count(*) FROM flow_run GROUP BY state_name")
            return Counter(dict(rows.fetchall()))

    wait_until(lambda: not {"Running", "Pending"} & set(read_states()), 120, "every run has ended")
    return read_states()


def connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)


def used(file: Path) -> float:
    """Bytes of the pages that hold something; what was deleted is used again."""
    with contextlib.closing(connect(file)) as database:
        names = ("page_count", "freelist_count", "page_size")
        count, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return float((count - free) * size)


def file_size(database: Path) -> float:
    return float(database.stat().st_size)


def tables(file: Path) -> dict[str, float]:
    """Table -> bytes, its indexes included, the largest first."""
    query = (
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name"
        " GROUP BY m.tbl_name ORDER BY 2 DESC LIMIT ?"
    )
    with contextlib.closing(connect(file)) as database:
        return {str(name): float(size) for name, size in database.execute(query, (LARGEST,))}


def a_run(file: Path) -> dict[str, float]:
    """Deployment -> bytes that one whole run leaves: itself, its states, tasks and logs.

    A row counts as its table's average, indexes included. Raises ValueError when a flow has none.
    """
    sizes = {name: size for name, size in tables(file).items() if name in ROWS}
    found = {}
    with contextlib.closing(connect(file)) as database:

        def count(query: str, *given: str) -> int:
            return int(database.execute(query, given).fetchone()[0])

        rows = {table: count(f"SELECT count(*) FROM {table}") for table in ROWS}  # noqa: S608
        for deployment in RUNS_A_DAY:
            flow = deployment.partition("/")[0]
            mine = {table: count(f"{WHOLE} {query}", flow) for table, query in ROWS.items()}
            if not mine["flow_run"]:
                raise ValueError(
                    f"no run of {deployment} came to its end: nothing can be said of a day"
                )
            size = sum(mine[table] * sizes[table] / max(1, rows[table]) for table in ROWS)
            found[deployment] = size / mine["flow_run"]
    return found


def a_day(whole: Mapping[str, float]) -> float:
    """Bytes a day when every run is a whole one; events are deleted as fast as they come."""
    return sum(count * whole[deployment] for deployment, count in RUNS_A_DAY.items())


def tell(
    sizes: list[float],
    states: Mapping[str, int],
    largest: Mapping[str, float],
    whole: Mapping[str, float],
) -> None:
    """What was measured, on standard output."""
    print("runs: " + ", ".join(f"{count} {name}" for name, count in sorted(states.items())))
    for name, size in largest.items():
        print(f"{size / 1e6:8.2f} MB  {name}")
    for deployment, size in whole.items():
        print(f"{size / 1e3:8.1f} kB  a whole {deployment}, {RUNS_A_DAY[deployment]} a day")
    print(f"the first day, as it ran here: {(sizes[-1] - sizes[0]) / 1e6:.1f} MB")
    second_half = 2 * (sizes[-1] - sizes[HOURS // 2])
    print(f"each further day, as it ran here: {second_half / 1e6:.1f} MB")
    print(f"each further day of whole runs: {a_day(whole) / 1e6:.1f} MB (goal {GOAL / 1e6:.0f})")


if __name__ == "__main__":
    sys.exit(main())
