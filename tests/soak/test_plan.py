"""The faults of a soak: by the seed, one a minute, and every kind."""

from __future__ import annotations

from collections import Counter

import pytest

from deployments.demo.three import NODES, T440

from .plan import LATEST_SECOND, Kind, plan

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_minute_has_one_fault_that_is_over_before_the_next(seed: int) -> None:
    planned = plan(seed, 60)
    assert len(planned) == 60
    for minute, one in enumerate(planned):
        assert 60 * minute <= one.at <= one.at + one.away <= 60 * (minute + 1)
        assert one.at <= 60 * minute + LATEST_SECOND


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert plan(7, 60) == plan(7, 60)
    assert plan(7, 60) != plan(8, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_comes_as_often_and_the_watch_worker_only_in_the_first_third(seed: int) -> None:
    planned = plan(seed, 60)
    times = Counter(one.kind for one in planned)
    assert all(times[kind] >= 10 for kind in Kind if kind is not Kind.WATCH)
    killed = [one.at for one in planned if one.kind is Kind.WATCH]
    assert 3 <= len(killed) <= 4 and max(killed) < 60 * 20


def test_nodes_lose_power_every_machine_its_sshd_and_t440_the_rest() -> None:
    targets: dict[Kind, set[str]] = {}
    for one in plan(3, 200):
        targets.setdefault(one.kind, set()).add(one.target)
        assert bool(one.away) == (one.kind in (Kind.POWER, Kind.SSHD))
    assert targets.pop(Kind.POWER) == set(NODES)
    assert targets.pop(Kind.SSHD) == {T440, *NODES}
    assert set.union(*targets.values()) == {T440}
