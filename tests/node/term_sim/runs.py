"""Runs of random schedules: one seed, or many over two processes, with what they contained."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from .chance import random_faults
from .faults import Fault, plan_faults
from .oracle import Counts
from .world import Noise, Variant, World

QUIET_SECONDS = 50.0
"""After the last fault: all is healed, and within this somebody must serve."""
PARTS = 50


@dataclass
class Result:
    """`violations`: (seed, sentence)."""

    schedules: int = 0
    seconds: float = 0.0
    counts: Counts = field(default_factory=Counts)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.schedules += other.schedules
        self.seconds += other.seconds
        self.counts.add(other.counts)
        self.violations += other.violations


def make_schedule(seed: int) -> tuple[list[Fault], float]:
    """Seed -> the faults, and when the last of them has healed; 150 to 200 s with the quiet end."""
    chance = random.Random(seed)
    until = chance.uniform(100.0, 150.0)
    return random_faults(chance, until - 10.0), until


def run_seed(seed: int, variant: Variant | None = None) -> Result:
    faults, until = make_schedule(seed)
    world = World(seed, variant, Noise())
    plan_faults(world, faults)
    world.run(until)
    until = max([until, *(h.paused_until for h in world.hosts.values() if h.paused)])
    world.run(until + 0.1)
    heal_all(world)
    world.run(until + QUIET_SECONDS / 2)
    before = world.oracle.counts.serving_s
    world.run(until + QUIET_SECONDS)
    if world.oracle.counts.serving_s == before:
        world.oracle.violate("stuck", "all is well, and nobody serves")
    violations = [(seed, sentence) for sentence in world.oracle.violations.values()]
    return Result(1, world.now, world.oracle.counts, violations)


def heal_all(world: World) -> None:
    """End every fault that still lasts; nothing new happens after this but late messages."""
    world.oracle.end_i6()
    world.cuts.clear()
    world.slow.clear()
    world.t440.crash_after = 0
    for node in world.nodes.values():
        node.gateway.sick = False
        node.end_hang()
    for host in world.hosts.values():
        host.boot()


def run_part(first: int, count: int) -> Result:
    total = Result()
    for seed in range(first, first + count):
        total.add(run_seed(seed))
    return total


def run_many(first: int, count: int, processes: int = 2) -> Iterator[Result]:
    """Yield the results of parts of the seeds first .. first + count - 1, as they come in order."""
    starts = range(first, first + count, PARTS)
    sizes = [min(PARTS, first + count - start) for start in starts]
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(run_part, starts, sizes)


def describe(result: Result) -> str:
    """What the schedules contained, per 1,000 of them."""
    c, per = result.counts, 1000.0 / max(1, result.schedules)
    return (
        f"{result.schedules} schedules, {result.seconds / 3600:.1f} simulated hours; per 1,000: "
        f"{c.moves * per:.0f} moves, {c.starts * per:.0f} starts, "
        f"{c.refused_lent * per:.0f} votes refused because lent, "
        f"{c.cut_short * per:.0f} terms cut short by delay, "
        f"{c.two_candidates_s * per:.0f} s with two candidates, "
        f"{c.i6_watches * per:.0f} times T440 alone down; serving "
        f"{100 * c.serving_s / max(1.0, result.seconds):.0f} %; "
        f"longest overlap after a resume {c.resume_overlap_s:.2f} s"
    )


def reproduce(seed: int) -> str:
    return f"python -m tests.node.term_sim --schedules 1 --seed {seed}"
