"""`python -m tests.lab.takeovers`: from a power cut until the other node serves, in seconds.

As the voter's check does it, or with `--schedule` as the check of each 30 s alone does it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.prefect import LabPrefect
from tests.lab.service import TAKEOVER_SECONDS, Service

START_SECONDS = 3
"""The stand-in gateway takes so long from its start to its /healthz."""
SLOW_SECONDS = 30.0  # after it the checks' own words are printed
CHECK = "health-check/joe"


def takeovers(joe: Service, prefect: LabPrefect, rounds: int) -> Iterator[float]:
    """Cut the power of whoever serves, so often; the seconds until the other one serves.

    Afterwards the lost node is back, has the memory, and the latch is cleared.
    """
    for host in joe.site.nodes.values():
        joe.site.fault(host, "slow-start", f"{START_SECONDS}")
    for turn in range(rounds):
        epoch = joe.epochs()["t440"]
        holder, other = (joe.pc_a, joe.pc_b) if turn % 2 == 0 else (joe.pc_b, joe.pc_a)
        lost = joe.oracle.now()
        holder.power_cut()
        yield joe.wait_until_live(other, TAKEOVER_SECONDS + 15) - lost
        holder.start()
        joe.wait_until_standby(holder, epoch + 1, 30)
        prefect.sync()
        prefect.finish("acknowledge/joe")


def only_the_schedule(joe: Service) -> LabPrefect:
    """A Prefect whose checks come each 30 s and not sooner."""
    joe.site.without_trigger()
    return joe.start_prefect()


def only_the_voter(joe: Service) -> LabPrefect:
    """A Prefect whose schedule of checks is paused: what decides is what the voter orders."""
    prefect = joe.start_prefect()
    prefect.pause(CHECK)
    return prefect


def tell(took: list[float]) -> str:
    """What so many takeovers took, in words."""
    listed = ", ".join(f"{seconds:.1f}" for seconds in took)
    middle = statistics.median(took)
    return f"the other served after {listed} s: median {middle:.1f}, worst {max(took):.1f}"


def main() -> int:
    """Measure, and say each one as it comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.takeovers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many power cuts (20)")
    parser.add_argument("--schedule", action="store_true", help="without the voter's check")
    options = parser.parse_args()
    took = list[float]()
    with TemporaryDirectory() as folder, Service(Path(folder)) as joe:
        prefect = only_the_schedule(joe) if options.schedule else joe.start_prefect()
        for seconds in takeovers(joe, prefect, options.rounds):
            took.append(seconds)
            print(f"{len(took):3}  {seconds:.1f} s", file=sys.stderr, flush=True)
            if seconds > SLOW_SECONDS:
                print(prefect.told_in_full(), file=sys.stderr, flush=True)
        print(joe.audit())
        print(tell(took))
    return 0


if __name__ == "__main__":
    sys.exit(main())
