"""`python -m tests.soak`: a random kill each minute on the demo's machines, and then the verdicts.

Each minute the worker of pool watch or data, Prefect's server, a flow process, the sshd of a
machine or the power of a node is killed, by a seed that can be given again. The worker of pool
watch, whose memory, descriptors and threads are judged over the second half of the run, is killed
in the first third only: so its last curve is long, and begins warm. Exit 0 when all verdicts hold.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from deployments.demo.__main__ import end_as_by_ctrl_c, world
from deployments.demo.prefect_server import PROJECT
from deployments.demo.story import say
from tasks.sites import load_site

from .ending import judge, read_failures
from .plan import plan
from .run import Soak
from .verdict import Verdict


def main() -> int:
    """Run one soak; 130 when it was interrupted."""
    options = parse_arguments()
    say(f"seed {options.seed}: for the same faults again add --seed {options.seed}")
    end_as_by_ctrl_c()
    try:
        return soak(options)
    except KeyboardInterrupt:
        say(f"stopped: every process of the soak is gone; what it wrote is in {options.root}")
        return 130


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="so many faults (60)")
    parser.add_argument("--speed", type=float, default=10.0, help="as of the demo, 1 to 30 (10)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--root", type=Path, default=PROJECT / ".soak", help="its folder (.soak)")
    parser.add_argument("--json", type=Path, help="a file for all that was seen")
    options = parser.parse_args()
    if options.minutes < 1 or not 1 <= options.speed <= 30:
        parser.error("--minutes must be at least 1, --speed from 1 to 30")
    return options


def soak(options: argparse.Namespace) -> int:
    """Set up, wait until every schedule has run, do it, and judge."""
    with world(options.root, options.speed) as (story, server):
        story.joe_starts()
        story.every_schedule_runs()
        site = load_site(story.three.t440.home / "site.yaml")
        done = Soak(story, server, site, plan(options.seed, options.minutes), options.seed)
        done.run()
        verdicts, failures = judge(done), read_failures(server)
    tell(done, verdicts)
    if options.json:
        everything = {**report(options, done, verdicts), "failed_runs": failures}
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def tell(done: Soak, verdicts: list[Verdict]) -> None:
    """The report as a table."""
    kinds = Counter(str(fault.kind) for fault in done.faults)
    say("killed: " + ", ".join(f"{kind} {times}x" for kind, times in sorted(kinds.items())))
    say(f"acknowledged {len(done.acknowledged)} times")
    for claim, holds, figure, breaches in verdicts:
        print(f"{'holds' if holds else 'FAILS'}  {claim:<56}  {figure}")
        for breach in breaches:
            print(f"       - {breach}")


def report(options: argparse.Namespace, done: Soak, verdicts: list[Verdict]) -> dict[str, object]:
    """All that was seen, for a program."""
    return {
        "seed": options.seed,
        "minutes": options.minutes,
        "speed": options.speed,
        "begun": done.begun_wall,
        "verdicts": [verdict._asdict() for verdict in verdicts],
        "faults": [asdict(fault) for fault in done.faults],
        "alerts": [alert._asdict() for alert in done.alerts()],
        "samples": [sample._asdict() for sample in done.samples],
    }


if __name__ == "__main__":
    sys.exit(main())
