"""Random faults around the very code that decides the terms: no invariant may break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from .term_sim.directed import A, Directed, run_directed
from .term_sim.faults import Fault
from .term_sim.runs import Result, describe, reproduce, run_many, run_seed

SCHEDULES = 5_000
# Per 1,000 schedules, about two thirds of what these seeds give: tame schedules are no proof.
FLOORS = {
    "moves": 660,
    "starts": 2_500,
    "refused_lent": 12_700,
    "cut_short": 500,
    "two_candidates_s": 4_300,
    "i6_watches": 290,
}


@pytest.mark.timeout(900)  # 25 s on two free cores
def test_5000_random_schedules_break_no_invariant_and_are_not_tame() -> None:
    total = Result()
    for part in run_many(first=0, count=SCHEDULES):
        total.add(part)
    print(describe(total))
    broken = [f"{sentence}; again: {reproduce(seed)}" for seed, sentence in total.violations]
    assert not broken, "\n".join(broken)
    assert total.schedules == SCHEDULES
    for name, floor in FLOORS.items():
        assert getattr(total.counts, name) * 1000 / SCHEDULES >= floor, (name, describe(total))


def test_a_seed_gives_the_same_run_each_time() -> None:
    assert run_seed(4) == run_seed(4)
    assert run_seed(4).counts != run_seed(5).counts


def test_the_soak_command_says_what_it_ran() -> None:
    command = [sys.executable, "-m", "tests.node.term_sim", "--schedules", "20", "--seed", "3"]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    first, last = run.stdout.splitlines()
    assert first == "seeds 3 to 22"
    assert last.startswith("20 schedules, ")
    assert last.endswith("; 0 violations")


LOSSES = {
    "a power cut": "power_cut",
    "a cut cable": "isolate",
}


@pytest.mark.parametrize("fault", LOSSES.values(), ids=LOSSES)
def test_the_other_node_serves_45_s_after(fault: str) -> None:
    """By the 30 s schedule and the silence together; the median is what a user will see."""
    seconds = []
    for seed in range(60):
        at = 60.0 + seed / 2
        lost = Directed((Fault(at, fault, (A, 1000.0)),), until=at + 60.0, automatic=True)
        world = run_directed(lost, seed)
        assert not world.oracle.violations
        assert world.pc_b.gateway.is_up
        seconds.append(world.pc_b.gateway.started_at + world.timing.gateway_start - at)
    print(f"{fault}: median {median(seconds):.1f} s, longest {max(seconds):.1f} s")
    assert max(seconds) <= 45.0
    assert median(seconds) <= 35.0


def test_with_t440_alone_down_the_holder_serves_every_second() -> None:
    for seed in range(5):
        down = Directed((Fault(60.0, "power_cut", ("t440", 300.0)),), until=359.0, automatic=True)
        world = run_directed(down, seed)
        assert not world.oracle.violations
        assert world.oracle.counts.i6_watches == 1
        assert world.oracle.counts.starts == 1
        assert world.oracle.counts.serving_s >= 359.0 - 5.0
