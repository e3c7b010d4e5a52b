"""Which fault comes when: pure, and the same for the same seed."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import NamedTuple

from deployments.demo.three import NODES, T440

LATEST_SECOND = 10.0
POWER_SECONDS = (30.0, 45.0)  # long enough for a failover, and over before the next fault
SSHD_SECONDS = (3.0, 10.0)
# Later kills would leave the worker no long curve to judge.
WATCH_PART = 1 / 3


class Kind(StrEnum):
    """What is killed. All but sshd and the power of a node come back by their keeper."""

    WATCH = "worker of pool watch"
    DATA = "worker of pool data"
    SERVER = "Prefect's server"
    FLOW = "flow process of pool data"
    SSHD = "sshd"
    POWER = "power"


class Planned(NamedTuple):
    """`at`: seconds since the begin of the soak. `away`: seconds until it is brought back by us,
    0 when its keeper does that."""

    at: float
    kind: Kind
    target: str
    away: float


def plan(seed: int, minutes: int) -> list[Planned]:
    """One fault a minute, every kind once before any comes again.

    The worker of pool watch is killed in the first third only.
    """
    chooser = random.Random(seed)
    bag: list[Kind] = []
    planned = []
    for minute in range(minutes):
        allowed = [kind for kind in Kind if kind is not Kind.WATCH or minute < minutes * WATCH_PART]
        bag = [kind for kind in bag if kind in allowed] or chooser.sample(allowed, len(allowed))
        at = 60 * minute + chooser.uniform(0, LATEST_SECOND)
        planned.append(Planned(at, *choose(chooser, bag.pop())))
    return planned


def choose(chooser: random.Random, kind: Kind) -> tuple[Kind, str, float]:
    """The kind, the machine that it happens to, and for how long."""
    if kind is Kind.POWER:
        return kind, chooser.choice(NODES), chooser.uniform(*POWER_SECONDS)
    if kind is Kind.SSHD:
        return kind, chooser.choice((T440, *NODES)), chooser.uniform(*SSHD_SECONDS)
    return kind, T440, 0.0
