"""A worker that grows is told from one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from .curves import Sample, judge_curves, judge_restarts, slope_an_hour

END = 3600.0


@dataclass(frozen=True)
class Case:
    """The curve of a worker, `t` in seconds, and the claims that must fail."""

    rss: Callable[[float], float] = lambda t: 150.0
    fds: Callable[[float], float] = lambda t: 40
    threads: Callable[[float], float] = lambda t: 20
    pid: Callable[[float], int] = lambda t: 7
    fails: str = ""


CASES = {
    "flat": Case(),
    "a killed one before it, that had grown": Case(
        rss=lambda t: 150 + (t if t < 900 else 0), pid=lambda t: 6 if t < 900 else 7
    ),
    "memory grows by a tenth of a megabyte a minute": Case(rss=lambda t: 150 + t / 600),
    "memory grows by a megabyte a minute": Case(rss=lambda t: 150 + t / 60, fails="RSS"),
    "memory grows in the first half only": Case(rss=lambda t: 100 + min(t, 1800) / 60),
    "one high sample": Case(
        rss=lambda t: 900 if t == 3000 else 150, fds=lambda t: 90 * (t == 3000)
    ),
    "memory that is given back": Case(rss=lambda t: 200 - t / 60),
    "a descriptor every two minutes": Case(fds=lambda t: 40 + t // 120, fails="descriptors"),
    "a thread every two minutes": Case(threads=lambda t: 20 + t // 120, fails="threads"),
    "a new process in the second half": Case(pid=lambda t: 7 + (t > 3000), fails="lived"),
    "no worker for one sample": Case(pid=lambda t: 0 if t == 3000 else 7, fails="lived"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_second_half_is_judged(case: Case) -> None:
    times = [10.0 * number for number in range(366)]
    samples = [
        Sample(t, case.pid(t), case.rss(t), int(case.fds(t)), int(case.threads(t))) for t in times
    ]
    verdicts = judge_curves(samples, END)
    assert len(verdicts) == 4
    failed = [verdict.claim for verdict in verdicts if not verdict.holds]
    assert len(failed) == bool(case.fails), verdicts
    assert all(case.fails in claim for claim in failed)


def test_a_soak_without_samples_proves_nothing() -> None:
    assert [verdict.holds for verdict in judge_curves([], END)] == [False]


def test_the_slope_is_in_megabytes_an_hour() -> None:
    samples = [Sample(t, 7, 100 + t / 360) for t in (0.0, 360.0, 720.0)]
    assert slope_an_hour(samples) == pytest.approx(10)
    assert slope_an_hour(samples[:1]) == 0


def test_a_worker_that_ends_by_itself_is_seen() -> None:
    samples = [Sample(t, pid) for t, pid in ((0, 5), (10, 0), (20, 6), (30, 6), (40, 7))]
    assert judge_restarts(samples, 2).holds
    assert not judge_restarts(samples, 1).holds
