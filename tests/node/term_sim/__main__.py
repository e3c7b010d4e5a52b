"""Random fault schedules against the term protocol, as many as asked for.

python -m tests.node.term_sim --schedules 100000 --seed 0
"""

from __future__ import annotations

import argparse
import random
import sys

from .runs import Result, describe, make_schedule, reproduce, run_many


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seed", type=int, help="of the first schedule; else random")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seed = random.randrange(10**9) if options.seed is None else options.seed
    print(f"seeds {seed} to {seed + options.schedules - 1}", flush=True)
    total, told = Result(), 0
    for part in run_many(seed, options.schedules, options.processes):
        total.add(part)
        for bad, sentence in part.violations:
            print(f"seed {bad}: {sentence}; again: {reproduce(bad)}", flush=True)
        if total.schedules >= told + 10_000:
            told = total.schedules
            print(f"... {describe(total)}", flush=True)
    if options.schedules == 1:
        for fault in make_schedule(seed)[0]:
            print(f"{fault.at:8.3f} {fault.name}{fault.args}")
    print(f"{describe(total)}; {len(total.violations)} violations")
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
