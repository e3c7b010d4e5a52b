"""What must be done in every situation of decide_cases.py, and what must never be done in any."""

from __future__ import annotations

import itertools

import pytest

from tasks.core.decide import decide
from tasks.core.situation import Kind, Level, Situation
from tasks.core.state import Health, History, Observation, Record, Ssh
from tests.core.decide_cases import (
    CASES,
    GRACE_OVER,
    JUST_RESTARTED,
    LONG_AGO,
    RESTARTED,
    TWICE,
)
from tests.core.sites import A1, B2, crashed, gone, hung, idle, serving, situation, strange


@pytest.mark.parametrize(
    ("s", "kind", "node", "epoch", "level", "reason"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_decide(s: Situation, kind: Kind, node: str, epoch: int, level: Level, reason: str) -> None:
    decision = decide(s)
    assert (decision.kind, decision.node, decision.epoch, decision.level) == (
        kind,
        node,
        epoch,
        level,
    ), decision.reason
    if reason:
        assert decision.reason == reason


def every_observation(node: str) -> list[Observation]:
    reached = [
        make(node, memory_age_seconds=age, record=record)
        for make in (serving, idle, hung, crashed)
        for age in (None, 60.0, 90_000.0)
        for record in (None, A1, Record(9, "pc-b"))
    ]
    return [*reached, *(gone(node, seconds) for seconds in (0.5, 14.0, 500.0)), strange(node)]


HISTORIES = [
    History(),
    GRACE_OVER,
    RESTARTED,
    JUST_RESTARTED,
    History(preferred_well_since=LONG_AGO),
    History(failovers=TWICE, latched=True, preferred_well_since=LONG_AGO),
]


def every_situation() -> list[Situation]:
    return [
        situation(record, a, b, history)
        for record, history in itertools.product((A1, B2), HISTORIES)
        for a in every_observation("pc-a")
        for b in every_observation("pc-b")
    ]


def test_every_situation_has_a_decision_and_none_breaks_a_promise() -> None:
    for s in every_situation():
        decision = decide(s)
        assert decision.reason
        if decision.kind in (Kind.FAILOVER, Kind.FAILBACK):
            assert decision.node != s.record.holder
            seen = [o.record.epoch for o in (s.holder, s.other) if o.record]
            assert decision.epoch > max([s.record.epoch, *seen])
            assert s.other.ssh is Ssh.OK, "never promote a node that does not answer"
            assert s.other.memory_age_seconds is not None, "never promote without memory"
        if decision.kind is Kind.RESTART:
            assert s.other.gateway_runs is not True, "never start beside a gateway that runs"
            assert s.other.ssh is not Ssh.KEY_MISMATCH, "never start beside one that may serve"
        if decision.kind is Kind.FENCE:
            assert decision.node != s.record.holder, "never fence the holder"
        if decision.kind is Kind.FAILOVER:
            assert s.holder.healthz is not Health.OK, "never fail over from a node that serves"


def test_two_gateways_are_always_fenced_or_reported() -> None:
    for s in every_situation():
        if s.holder.gateway_runs and s.other.gateway_runs:
            assert decide(s).kind in (Kind.FENCE, Kind.ADOPT)
