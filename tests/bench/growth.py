"""`python -m tests.bench.growth`: how much the database grows in a day, measured in half an hour.

All runs of 24 hours are ordered evenly in that time, and what is kept for hours is kept for as much
less. The memory changes all the time, so that each sync has something to carry.
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
RUNS_A_DAY = {CHECK: 2880, SYNC: 288, PRIMARY: 24, DR: 24}
EVENT_HOURS = 3
GOAL = 60e6  # bytes a day
WRITE_SECONDS = 5.0
LARGEST = 12
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
        tell(sizes, states, tables(database))
    return 1 if growth(sizes) > GOAL else 0


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


def growth(sizes: list[float]) -> float:
    """Bytes a day: the second half, when events are deleted as fast as they come, twice."""
    return 2 * (sizes[-1] - sizes[HOURS // 2])


def tell(sizes: list[float], states: Mapping[str, int], largest: Mapping[str, float]) -> None:
    """What was measured, on standard output."""
    print("runs: " + ", ".join(f"{count} {name}" for name, count in sorted(states.items())))
    for name, size in largest.items():
        print(f"{size / 1e6:8.2f} MB  {name}")
    print(f"the first day: {(sizes[-1] - sizes[0]) / 1e6:.1f} MB")
    print(f"each further day: {growth(sizes) / 1e6:.1f} MB (goal {GOAL / 1e6:.0f})")


if __name__ == "__main__":
    sys.exit(main())
