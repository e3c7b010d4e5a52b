"""`make bench`: measure it all on this machine, and write docs/benchmarks.md.

The checks, workers and takeovers run on the demo's three loopback machines at the real times, so
that a whole run takes about 45 minutes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deployments.demo.prefect_server import PROJECT
from tests.bench import checks, original
from tests.bench.backups import backups
from tests.bench.copies import copies
from tests.bench.document import make_document
from tests.bench.memory import memory
from tests.bench.programs import Programs, find_programs, machine, versions
from tests.bench.progress import say
from tests.bench.table import Goal, Group, Row, ratios, render
from tests.bench.takeover import takeover

DOCUMENT = PROJECT / "docs" / "benchmarks.md"
THIRD = Goal(1 / 3)
FEWEST = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the whole table goes to the document, a part of it only to standard output."""
    options = parse(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        programs = find_programs()
        load, begun = os.getloadavg()[0], time.monotonic()
        groups = measure(options.only, options.times, programs)
    except KeyboardInterrupt:
        say("stopped: every process of the benchmark is gone, and nothing was written")
        return 130
    table = render(groups)
    print(table, end="")
    if not options.only:
        took = f"{(time.monotonic() - begun) / 60:.0f} min"
        facts = {
            "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {took}, load before it {load:.1f}",
            "Machine": machine(),
            "Versions": versions(programs),
        }
        options.out.write_text(make_document(options.times, facts, table))
        say(f"written: {options.out}")
    return 0


def measure(only: str, times: int, programs: Programs) -> list[Group]:
    """The groups in the order of the table; `only` names one of MEASUREMENTS, "" means all."""
    found: list[Group] = []
    for name, work in MEASUREMENTS.items():
        if only in ("", name):
            found += work(times, programs)
    ours, theirs = (find(found, what) for what in (checks.ALL_MACHINES, original.ALL))
    if ours and theirs and programs.is_real:
        share = ratios(ours.samples, theirs.samples)
        what = "CPU of one check more on all machines, as a share of the original way's"
        found.append(Group("Both ways", (Row(what, share, "%", THIRD),)))
    return found


def find(groups: Sequence[Group], what: str) -> Row | None:
    """The row of this name."""
    return next((row for group in groups for row in group.rows if row.what == what), None)


MEASUREMENTS: dict[str, Callable[[int, Programs], list[Group]]] = {
    "checks": lambda times, programs: checks.checks(times),
    "original": original.original,
    "takeover": lambda times, programs: takeover(times),
    "copies": lambda times, programs: copies(times),
    "memory": lambda times, programs: memory(),
    "backups": lambda times, programs: backups(times),
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=MEASUREMENTS, default="", help="measure only these rows")
    parser.add_argument(
        "--times", type=int, default=FEWEST, help=f"samples of each row ({FEWEST})", metavar="N"
    )
    parser.add_argument(
        "--out", type=Path, default=DOCUMENT, help="where the whole table goes (docs/benchmarks.md)"
    )
    options = parser.parse_args(argv)
    if not 1 <= options.times <= 50:
        parser.error("--times must be from 1 to 50")
    if not options.only and options.times < FEWEST:
        parser.error(f"the whole table needs --times {FEWEST} or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
