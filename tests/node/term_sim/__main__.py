"""Random fault schedules against the term protocol, as many as asked for.

python -m tests.node.term_sim --schedules 100000 --seed 0
"""

from __future__ import annotations

import argparse
import sys

from .runs import Result, describe, make_schedule, reproduce, run_many


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    total, told = Result(), 0
    for part in run_many(options.seed, options.schedules, options.processes):
        total.add(part)
        for seed, sentence in part.violations:
            print(f"seed {seed}: {sentence}; again: {reproduce(seed)}", flush=True)
        if total.schedules >= told + 10_000:
            told = total.schedules
            print(f"... {describe(total)}", flush=True)
    if options.schedules == 1:
        for fault in make_schedule(options.seed)[0]:
            print(f"{fault.at:8.3f} {fault.name}{fault.args}")
    print(f"{describe(total)}; {len(total.violations)} violations")
    return 1 if total.violations else 0


sys.exit(main())
