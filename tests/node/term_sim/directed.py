"""Schedules made by hand, each named by what happens in it; times are true seconds."""

from __future__ import annotations

from typing import NamedTuple

from .faults import Fault, plan_faults
from .world import Variant, World

LONG = 1000.0
A, B, T = "pc-a", "pc-b", "t440"


class Directed(NamedTuple):
    """`automatic`: T440's own checks run too. `served_by`: somebody must be well from then on."""

    faults: tuple[Fault, ...]
    until: float = 150.0
    automatic: bool = False
    served_by: float = LONG


def between(a: str, b: str, at: float, seconds: float = LONG) -> Fault:
    return Fault(at, "cut", (a, b, seconds, True))


DIRECTED: dict[str, Directed] = {
    "the link between the nodes is cut, then the holder from T440, then a move": Directed(
        (between(A, B, 50.0), between(T, A, 75.0), Fault(76.0, "move", (B,))),
        served_by=110.0,
    ),
    "the holder is cut from T440, then from the other node, just before a move": Directed(
        (between(T, A, 60.0), between(A, B, 90.0), Fault(90.1, "move", (B,))),
        served_by=125.0,
    ),
    "the nodes are cut, and T440 reboots as the holder is cut from it, then a move": Directed(
        (
            *(between(A, B, 50.0), between(T, A, 75.0), Fault(75.0, "power_cut", (T, 2.0))),
            Fault(77.5, "move", (B,)),
        ),
        served_by=110.0,
    ),
    "the standby is off, T440 reboots and forgets, and the holder is cut off": Directed(
        (
            *(Fault(20.0, "power_cut", (B, 90.0)), Fault(105.0, "power_cut", (T, 3.0))),
            Fault(109.0, "isolate", (A, 90.0)),
        ),
        until=250.0,
        automatic=True,
        served_by=170.0,
    ),
    "T440's record is restored older, and the old holder boots cut from the new one": Directed(
        (
            *(Fault(40.0, "power_cut", (A, 100.0)), between(A, B, 135.0, 40.0)),
            *(Fault(139.0, "cut", (T, B, 30.0, True)), Fault(139.5, "record_older", (1, True))),
        ),
        until=250.0,
        automatic=True,
        served_by=230.0,
    ),
    "an answer stalls between the look at the vote and its writing, during a move": Directed(
        (
            *(between(A, B, 40.0), between(T, A, 40.0, 35.0)),
            *(Fault(76.1, "cut", (A, T, LONG, False)), Fault(76.2, "move", (B,))),
        ),
        until=110.0,
    ),
    "the holder is cut off, and its guard hangs just before the stop": Directed(
        (Fault(50.0, "isolate", (A, LONG)), Fault(62.9, "hang_guard", (A, LONG, True))),
        automatic=True,
        served_by=100.0,
    ),
    "the holder is cut off, guard and fuse hang just before the stop": Directed(
        (
            *(Fault(50.0, "isolate", (A, LONG)), Fault(60.0, "hang_fuse", (A, LONG))),
            Fault(64.6, "hang_guard", (A, LONG, False)),
        ),
        automatic=True,
        served_by=100.0,
    ),
    "the holder's guard hangs, and a suspend falls into the hang": Directed(
        (Fault(50.0, "hang_guard", (A, 60.0, True)), Fault(50.5, "pause", (A, 32.0, True))),
        automatic=True,
        served_by=100.0,
    ),
    "the holder is frozen for 40 s and thaws after the other has taken over": Directed(
        (Fault(50.0, "pause", (A, 40.0, False)),),
        automatic=True,
        served_by=100.0,
    ),
    "a holder that is slow to stop is moved away from": Directed(
        (Fault(55.0, "sick_gateway", (A, LONG)), Fault(60.0, "move", (B,))),
        served_by=80.0,
    ),
    "the nodes meet again while the old holder is still stopping": Directed(
        (
            *(between(A, B, 50.0, 25.0), Fault(55.0, "sick_gateway", (A, LONG))),
            Fault(74.0, "move", (B,)),
        ),
        served_by=95.0,
    ),
    "a gateway is started by hand on the standby": Directed(
        tuple(Fault(at, "start_by_hand", (B,)) for at in (40.0, 41.0, 60.0)),
        automatic=True,
        served_by=20.0,
    ),
    "the holder resumes with less left of its term than a clean stop takes": Directed(
        (
            *(Fault(50.0, "isolate", (A, LONG)), Fault(51.0, "sick_gateway", (A, LONG))),
            Fault(51.5, "pause", (A, 15.6, True)),
        ),
        automatic=True,
        served_by=110.0,
    ),
    "answers come 25 s late to a holder that no longer reaches anybody, then a move": Directed(
        (
            *(between(A, B, 45.0), Fault(50.0, "slow", (T, A, 25.0, LONG))),
            *(Fault(80.0, "cut", (A, T, LONG, False)), Fault(81.0, "move", (B,))),
        ),
        served_by=115.0,
    ),
    "T440 hears a holder that it cannot answer, and the nodes are cut": Directed(
        (Fault(50.0, "cut", (T, A, LONG, False)), between(A, B, 50.0)),
        until=180.0,
        automatic=True,
        served_by=115.0,
    ),
    "T440's record is lost, and then the holder dies": Directed(
        (Fault(50.0, "record_lost", (False,)), Fault(60.0, "power_cut", (A, LONG))),
        automatic=True,
        served_by=105.0,
    ),
    "the standby reboots for a minute, then the holder dies for good": Directed(
        (Fault(20.0, "power_cut", (B, 60.0)), Fault(85.0, "power_cut", (A, LONG))),
        automatic=True,
        served_by=130.0,
    ),
    "a node serves alone, the others come back, and then it is cut from both": Directed(
        (
            *(Fault(40.0, "power_cut", (A, 50.0)), Fault(40.0, "power_cut", (T, 52.0))),
            *(Fault(60.0, "promote", (B, True)), Fault(94.0, "isolate", (B, 60.0))),
        ),
        until=170.0,
        automatic=True,
        served_by=140.0,
    ),
    "two moves within a term, while the nodes are cut from each other": Directed(
        (
            *(between(A, B, 30.0), Fault(60.0, "move", (B,)), Fault(61.0, "kill_flow")),
            *(Fault(63.0, "sick_gateway", (B, LONG)), Fault(65.0, "move", (A,))),
        ),
        served_by=90.0,
    ),
    "a node is granted a vote 8 s late, and says meanwhile that it is stopped": Directed(
        (
            *(between(T, B, 59.0), Fault(50.0, "slow", (A, B, 8.0, LONG))),
            *(Fault(60.0, "move", (B,)), Fault(61.0, "kill_flow"), Fault(71.0, "move", (A,))),
        ),
        served_by=100.0,
    ),
    "a grant is on its way for 8 s while its voter reboots": Directed(
        (
            *(between(T, B, 59.0), Fault(50.0, "slow", (A, B, 8.0, 20.4))),
            *(Fault(60.0, "move", (B,)), Fault(61.0, "kill_flow")),
            Fault(70.5, "power_cut", (A, 1.5)),
            *(Fault(71.0, "move", (A,)), Fault(73.2, "cut", (A, B, LONG, False))),
        ),
        served_by=110.0,
    ),
    "an ask of before a reboot is answered after it": Directed(
        (
            *(between(A, B, 30.0), Fault(50.0, "slow", (A, T, 10.0, 10.0))),
            *(Fault(58.0, "power_cut", (A, 1.0)), between(T, A, 85.0)),
            Fault(86.0, "move", (B,)),
        ),
        served_by=125.0,
    ),
    "a move, and a move back before the first is done": Directed(
        (Fault(60.0, "move", (B,)), Fault(60.6, "move", (A,)), Fault(62.0, "move", (A,))),
        served_by=90.0,
    ),
    "T440 is down for 100 s, one minute after a completed switchover": Directed(
        (Fault(30.0, "switchover", (B,)), Fault(90.0, "power_cut", (T, 100.0))),
        until=185.0,
        served_by=70.0,
    ),
    **{
        f"T440 dies after step {step} of a switchover": Directed(
            (
                *(Fault(50.0, "crash_t440_after", (step, 100.0)), Fault(50.0, "switchover", (B,))),
                Fault(140.0, "crash_t440_after", (0, 0.0)),
            ),
            served_by=97.0,
        )
        for step in range(1, 6)
    },
}


def run_directed(schedule: Directed, seed: int, variant: Variant | None = None) -> World:
    """Run one on links that lose nothing by chance; "stuck" is what it says of liveness."""
    world = World(seed, variant)
    world.t440.automatic = schedule.automatic
    world.t440.failback = False
    plan_faults(world, schedule.faults)
    if schedule.served_by < schedule.until:
        world.run(schedule.served_by)
        served = world.oracle.counts.serving_s
        world.run(schedule.until)
        if world.oracle.counts.serving_s - served < 0.9 * (schedule.until - schedule.served_by):
            world.oracle.violate("stuck", f"nobody serves after {schedule.served_by:g}")
    world.run(schedule.until)
    return world
