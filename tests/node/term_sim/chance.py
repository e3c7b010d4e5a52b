"""Random schedules of faults."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .faults import HOSTS, NODES, Fault


def random_faults(chance: random.Random, until: float) -> list[Fault]:
    """A fault every 3 to 12 s, some of them two at once, until a true time."""
    faults: list[Fault] = []
    now = chance.uniform(5.0, 30.0)
    while now < until:
        faults += [fault for fault in _random_fault(chance, now) if fault.at < until]
        now += chance.uniform(3.0, 12.0)
    return sorted(fault for fault in faults if not _is_beyond_promise(fault, faults))


def _is_beyond_promise(fault: Fault, faults: Sequence[Fault]) -> bool:
    """A hung fuse alone must be harmless; not so with a guard in D state or a standstill too."""
    if fault.name != "hang_fuse":
        return False
    name, end = fault.args[0], fault.at + fault.args[1]
    worse = [f for f in faults if f.name in ("pause", "hang_guard") and f.args[0] == name]
    return any(f.args[2] or f.name == "pause" for f in worse if _overlaps(f, fault.at, end))


def _overlaps(fault: Fault, start: float, end: float) -> bool:
    """A hang can be longer by a standstill in it, and its end by what systemd does then."""
    return fault.at <= end and start <= fault.at + fault.args[1] + 45.0


def _random_fault(chance: random.Random, now: float) -> list[Fault]:
    node, host = chance.choice(NODES), chance.choice(HOSTS)
    other = chance.choice([h for h in HOSTS if h != host])
    short, long = chance.uniform(0.3, 8.0), chance.uniform(1.0, 40.0)
    flip = chance.random() < 0.5
    step = chance.randint(1, 5)
    lag = chance.uniform(0.1, 1.5)
    kinds: tuple[tuple[int, list[Fault]], ...] = (
        (10, [Fault(now, "cut", (host, other, long, True))]),
        (6, [Fault(now, "cut", (host, other, long, False))]),
        (6, [Fault(now, "isolate", (host, long))]),
        (6, [Fault(now, "power_cut", (host, long))]),
        (2, [Fault(now, "power_cut", (host, long)), Fault(now, "power_cut", (other, short))]),
        (3, [Fault(now, "pause", (host, short, False))]),
        (3, [Fault(now, "pause", (host, long, flip))]),
        (4, [Fault(now, "hang_guard", (node, long, flip))]),
        (
            3,
            [
                Fault(now, "hang_guard", (node, 40.0, flip)),
                Fault(now + lag, "pause", (node, long, True)),
            ],
        ),
        (
            2,
            [
                Fault(now, "isolate", (node, 40.0)),
                Fault(now + short, "hang_guard", (node, long, flip)),
            ],
        ),
        (2, [Fault(now, "kill_guard", (node,))]),
        (1, [Fault(now, "hang_fuse", (node, long))]),
        (2, [Fault(now, "hang_fuse", (node, long)), Fault(now, "hang_guard", (node, long, False))]),
        (3, [Fault(now, "crash_gateway", (node,))]),
        (2, [Fault(now, "sick_gateway", (node, long))]),
        (1, [Fault(now, "start_by_hand", (node,))]),
        (3, [Fault(now, "slow", (host, other, short * 3, long))]),
        (6, [Fault(now, "move", (node,))]),
        (3, [Fault(now, "cut", (host, other, long, True)), Fault(now + lag, "move", (node,))]),
        (4, [Fault(now, "switchover", (node,))]),
        (3, [Fault(now, "crash_t440_after", (step, short)), Fault(now, "switchover", (node,))]),
        (2, [Fault(now, "record_older", (step, flip))]),
        (2, [Fault(now, "record_lost", (flip,))]),
        (2, [Fault(now, "move", (node,)), Fault(now + lag, "kill_flow")]),
        (2, [Fault(now, "node_restored", (node, step, short))]),
        (1, [Fault(now, "promote", (node, False))]),
    )
    kinds += ((3, _cuts_around_a_move(chance, now)), (1, _serving_alone(chance, now)))
    return chance.choices([k for _, k in kinds], [w for w, _ in kinds])[0]


def _cuts_around_a_move(chance: random.Random, now: float) -> list[Fault]:
    """One node loses both others, one after the other, and T440 perhaps its memory; then a move."""
    node = chance.choice(NODES)
    other = NODES[1 - NODES.index(node)]
    first, second = chance.sample([other, "t440"], 2)
    gap = chance.uniform(0.0, 30.0)
    faults = [
        Fault(now, "cut", (node, first, 60.0, chance.random() < 0.7)),
        Fault(now + gap, "cut", (node, second, 40.0, chance.random() < 0.7)),
        Fault(now + gap + chance.uniform(0.0, 5.0), "move", (other,)),
    ]
    if chance.random() < 0.4:
        faults.append(Fault(now + gap, "power_cut", ("t440", chance.uniform(0.5, 4.0))))
    return faults


def _serving_alone(chance: random.Random, now: float) -> list[Fault]:
    """T440 and a node go off, the other serves alone, they come back, and it is cut off."""
    node = chance.choice(NODES)
    other = NODES[1 - NODES.index(node)]
    back, short = chance.uniform(15.0, 40.0), chance.uniform(0.0, 6.0)
    return [
        Fault(now, "power_cut", (other, back)),
        Fault(now, "power_cut", ("t440", back + short)),
        Fault(now + 14.0, "promote", (node, True)),
        Fault(now + back + chance.uniform(0.0, 8.0), "isolate", (node, 40.0)),
    ]
