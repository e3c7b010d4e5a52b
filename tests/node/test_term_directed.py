"""Schedules made by hand: none breaks the rules, and each broken rule is found by one of them."""

from __future__ import annotations

import pytest

from .term_sim.directed import DIRECTED, run_directed
from .term_sim.variants import VARIANTS

SEEDS = 12


@pytest.mark.parametrize("name", DIRECTED)
def test_nothing_breaks_when(name: str) -> None:
    for seed in range(SEEDS):
        world = run_directed(DIRECTED[name], seed)
        assert not world.oracle.violations, (seed, list(world.oracle.violations.values()))


# (the broken rule, the schedule that shows it) -> the invariant that breaks
CAUGHT = {
    (
        "votes are not exclusive",
        "the link between the nodes is cut, then the holder from T440, then a move",
    ): "I1",
    (
        "the own vote is not counted",
        "the holder is cut from T440, then from the other node, just before a move",
    ): "I1",
    (
        "no wait after a boot",
        "the nodes are cut, and T440 reboots as the holder is cut from it, then a move",
    ): "I1",
    (
        "no wait after a boot",
        "T440's record is restored older, and the old holder boots cut from the new one",
    ): "I1",
    (
        "a term counts from the arrival of the answer",
        "answers come 25 s late to a holder that no longer reaches anybody, then a move",
    ): "I1",
    (
        "no common lock",
        "an answer stalls between the look at the vote and its writing, during a move",
    ): "I1",
    ("a standby does not ask", "T440's record is lost, and then the holder dies"): "stuck",
    ("no fuse", "the holder's guard hangs, and a suspend falls into the hang"): "I1",
    ("no fuse", "the holder is cut off, and its guard hangs just before the stop"): "I4",
    (
        "no fuse, and a stop not bounded by the term",
        "the holder resumes with less left of its term than a clean stop takes",
    ): "I4",
    (
        "a vote comes back from a node that still serves",
        "a holder that is slow to stop is moved away from",
    ): "I1",
    (
        "a node lends its vote while it serves",
        "the nodes meet again while the old holder is still stopping",
    ): "I1",
    (
        "T440's grant frees the own vote",
        "the holder is cut from T440, then from the other node, just before a move",
    ): "I1",
    (
        "a lost record is not waited for",
        "a node serves alone, the others come back, and then it is cut from both",
    ): "I1",
    ("the gateway unit asks for no permit", "a gateway is started by hand on the standby"): "I1",
    (
        "terms outlive their epoch",
        "two moves within a term, while the nodes are cut from each other",
    ): "I1",
    (
        "the own vote is back at the same epoch",
        "a node is granted a vote 8 s late, and says meanwhile that it is stopped",
    ): "I1",
    (
        "the unknown vote is back when the other is stopped",
        "a grant is on its way for 8 s while its voter reboots",
    ): "I1",
    ("answers to another boot are taken", "an ask of before a reboot is answered after it"): "I1",
    (
        "a node serves alone until a higher record",
        "a node serves alone, the others come back, and then it is cut from both",
    ): "I1",
    (
        "a vote is lent for no longer than a term",
        "the holder is frozen for 40 s and thaws after the other has taken over",
    ): "vote",
    (
        "a margin of 5 s",
        "the holder is cut off, guard and fuse hang just before the stop",
    ): "I4",
}


@pytest.mark.parametrize(("broken", "schedule"), CAUGHT, ids=[f"{b}: {s}" for b, s in CAUGHT])
def test_the_checker_finds(broken: str, schedule: str) -> None:
    runs = [run_directed(DIRECTED[schedule], seed, VARIANTS[broken]) for seed in range(20)]
    found = sum(CAUGHT[broken, schedule] in world.oracle.violations for world in runs)
    print(f"found in {found} of {len(runs)}")
    assert found


def test_every_broken_rule_has_a_schedule() -> None:
    assert {broken for broken, _ in CAUGHT} == set(VARIANTS)
