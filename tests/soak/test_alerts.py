"""Alerts are matched with the faults that were injected, and with what the witness saw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from .alerts import Alert, Fault, Running, during, told_twice, untrue
from .plan import Kind

A, B, NOBODY = frozenset({"pc-a"}), frozenset({"pc-b"}), frozenset[str]()
CUT = Fault(100.5, 140.0, Kind.POWER, "pc-a")
# pc-a dies at 100.5 and comes back at 140; pc-b serves from 125 on, pc-a again from 190 on.
CHANGES: list[tuple[float, Running]] = [
    (0.0, A),
    (100.5, NOBODY),
    (125.0, B),
    (188.0, NOBODY),
    (190.0, A),
]
FAILOVER = Alert(
    126,
    "warn",
    "Failover to pc-b: pc-a silent for 15 s, heard by nobody. pc-b serves, 9 s after the decision",
)
ALONE = Alert(128, "warn", "pc-b serves, but nobody could take over: pc-a is unreachable")
FAILBACK = Alert(
    191, "ok", "Failback to pc-a: well for 34 s. pc-a serves, 8.2 s after the decision"
)
MERGED = Alert(
    160, "warn", "Memory of pc-a was merged into that of pc-b: 1 files of note: MEMORY.md"
)


def sshd(target: str) -> Fault:
    return Fault(100.0, 105.0, Kind.SSHD, target)


TRUE = {
    "a failover after a power cut": (FAILOVER, [CUT], CHANGES),
    "a fault that still lasts": (ALONE, [Fault(100.5, math.inf, Kind.POWER, "pc-a")], CHANGES),
    "an all-clear needs no fault": (FAILBACK, [], CHANGES),
    "a merge long after it": (MERGED._replace(t=400), [CUT], CHANGES),
    "told in the very second, which is rounded down": (
        Alert(100, "warn", "No move: pc-a is unreachable, but is heard to serve: refused"),
        [sshd("pc-a")],
        [(100.9, A)],
    ),
    "another node's sshd": (
        Alert(102, "warn", "pc-a serves, but nobody could take over: pc-b is unreachable"),
        [sshd("pc-b")],
        [(0.0, A)],
    ),
    "T440's sshd": (
        Alert(108, "warn", "pc-b serves, but nobody could take over: pc-a's guard has not asked"),
        [sshd("t440")],
        [(0.0, B)],
    ),
    "a failback that lost its target": (
        Alert(
            104, "critical", "Failback to pc-a: well for 39 s. It was not done: nothing was moved"
        ),
        [sshd("pc-a")],
        [(0.0, B)],
    ),
    "checks are missing": (
        Alert(110, "critical", "No health check has completed for 14 s: is the worker up?"),
        [Fault(100.0, 100.0, Kind.SERVER, "t440")],
        [(0.0, A)],
    ),
}
UNTRUE = {
    "no fault at all": (FAILOVER, [], "no cause"),
    "sshd alone moves nobody": (FAILOVER, [sshd("pc-a")], "no cause"),
    "another node's power": (FAILOVER, [Fault(100.5, 140.0, Kind.POWER, "pc-b")], "no cause"),
    "long after the fault": (ALONE._replace(t=187), [CUT], "no cause"),
    "before the fault": (ALONE, [Fault(129.0, 140.0, Kind.POWER, "pc-a")], "no cause"),
    "a sentence that nobody expects": (Alert(126, "critical", "It burns"), [CUT], "no cause"),
    "a node that does not serve": (Alert(170, "ok", "pc-a serves"), [CUT], "not so"),
    "nobody serves, but one does": (
        Alert(160, "critical", "Nobody serves: pc-a silent for 20 s; pc-b is unreachable"),
        [CUT],
        "not so",
    ),
    "two serve, but only one does": (
        Alert(160, "ok", "Two nodes serve: kill the gateway on pc-a, the record names pc-b"),
        [CUT],
        "not so",
    ),
}


@pytest.mark.parametrize(("alert", "faults", "changes"), TRUE.values(), ids=TRUE.keys())
def test_a_true_alert(
    alert: Alert, faults: list[Fault], changes: Sequence[tuple[float, Running]]
) -> None:
    assert list(untrue([alert], faults, changes)) == []


@pytest.mark.parametrize(("alert", "faults", "why"), UNTRUE.values(), ids=UNTRUE.keys())
def test_an_alert_that_is_not_true(alert: Alert, faults: list[Fault], why: str) -> None:
    found = list(untrue([alert], faults, CHANGES))
    assert len(found) == 1 and found[0].startswith(why)


def test_what_the_witness_saw_in_a_time() -> None:
    assert list(during(CHANGES, 110, 130)) == [NOBODY, B]
    assert list(during(CHANGES, 200, 201)) == [A]
    assert list(during([], 0, 1)) == []


WELL = Alert(195, "ok", "pc-a serves")
DOWN = Alert(300, "critical", "Nobody serves: pc-a silent for 15 s, heard by nobody")
ORDERED = Alert(129, "ok", "Acknowledged: the latch is cleared")
STORIES = {
    "one of each": ([FAILOVER, ALONE, MERGED, FAILBACK], 0),
    "a failover twice for one cut": ([FAILOVER, FAILOVER._replace(t=127)], 1),
    "another sentence in between": ([ALONE, FAILOVER, ALONE._replace(t=138)], 0),
    "an all-clear twice": ([WELL, WELL._replace(t=198)], 1),
    "a state that ended in between": ([ALONE, WELL, ALONE._replace(t=138)], 0),
    "a merge in between ends no state": ([ALONE, MERGED, ALONE._replace(t=138)], 1),
    "an order in between ends no state": ([ALONE, ORDERED, ALONE._replace(t=138)], 1),
    "two merges of the same": ([MERGED, WELL, MERGED._replace(t=230)], 1),
    "two orders are two": ([ORDERED, ORDERED], 0),
    "reminded too soon": ([DOWN, DOWN._replace(t=310, text=DOWN.text.replace("15", "25"))], 1),
    "reminded in time": ([DOWN, DOWN._replace(t=3900)], 0),
    "only what is critical is repeated": ([ALONE, ALONE._replace(t=3900)], 1),
}


@pytest.mark.parametrize(("alerts", "again"), STORIES.values(), ids=STORIES.keys())
def test_told_twice(alerts: list[Alert], again: int) -> None:
    cut = Fault(100.5, math.inf, Kind.POWER, "pc-a")
    assert len(list(told_twice(alerts, [cut], 3600))) == again


def test_two_faults_may_be_told_in_the_same_words() -> None:
    second = Fault(400.0, 440.0, Kind.POWER, "pc-a")
    alerts = [FAILOVER, FAILOVER._replace(t=425)]
    assert not list(told_twice(alerts, [CUT, second], 3600))
