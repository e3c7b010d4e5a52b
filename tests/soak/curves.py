"""Whether a process grows: pure, on samples of one worker. The rule: over the second half of the
soak the median of the last quarter is hardly above that of the third one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import linear_regression, median
from typing import NamedTuple

from .verdict import Verdict

RSS_LIMIT_PERCENT = 5.0
# Six checks overlap while a node is silent, and each has a connection or two of its own.
COUNT_LIMIT = 3.0


class Sample(NamedTuple):
    """One look at the worker; `t` in seconds since the begin of the soak, `pid` 0 for no worker."""

    t: float
    pid: int
    rss_mb: float = 0.0
    fds: int = 0
    threads: int = 0


def judge_curves(samples: Sequence[Sample], end: float) -> list[Verdict]:
    """One process over the second half, flat memory, no more descriptors, no more threads."""
    half = [sample for sample in samples if end / 2 <= sample.t < end]
    third, last = split(half, end * 3 / 4)
    pids = sorted({sample.pid for sample in half})
    one = Verdict(
        "the worker of pool watch lived through the second half",
        len(pids) == 1 and pids != [0] and bool(third) and bool(last),
        f"process {', '.join(map(str, pids)) or 'none'}, {len(half)} samples",
    )
    if not (third and last):
        return [one]
    fds = [sample.fds for sample in third], [sample.fds for sample in last]
    threads = [sample.threads for sample in third], [sample.threads for sample in last]
    return [
        one,
        judge_memory(half, third, last),
        judge_count("its file descriptors did not grow", *fds),
        judge_count("its threads did not grow", *threads),
    ]


def judge_memory(
    half: Sequence[Sample], third: Sequence[Sample], last: Sequence[Sample]
) -> Verdict:
    """The medians of two quarters, and the least-squares slope beside them for a person."""
    before, after = (median(sample.rss_mb for sample in part) for part in (third, last))
    percent = 100 * (after - before) / before if before else 0.0
    return Verdict(
        "its RSS was flat over the second half",
        before > 0 and percent <= RSS_LIMIT_PERCENT,
        f"{before:.1f} MB, then {after:.1f} MB: {percent:+.1f} %, at most +{RSS_LIMIT_PERCENT:g} %"
        f" ({slope_an_hour(half):+.1f} MB an hour)",
    )


def judge_count(claim: str, third: Sequence[int], last: Sequence[int]) -> Verdict:
    """The medians of two quarters."""
    before, after = median(third), median(last)
    figure = f"{before:g}, then {after:g}, at most +{COUNT_LIMIT:g} (highest {max(*third, *last)})"
    return Verdict(claim, after - before <= COUNT_LIMIT, figure)


def split(samples: Sequence[Sample], at: float) -> tuple[list[Sample], list[Sample]]:
    """Those before a moment, and those from it on."""
    return [one for one in samples if one.t < at], [one for one in samples if one.t >= at]


def slope_an_hour(samples: Sequence[Sample]) -> float:
    """Least squares of RSS over time, MB an hour; 0 for fewer than two moments."""
    if len({sample.t for sample in samples}) < 2:
        return 0.0
    line = linear_regression([one.t for one in samples], [one.rss_mb for one in samples])
    return 3600 * line.slope


def judge_restarts(samples: Sequence[Sample], kills: int) -> Verdict:
    """A worker that ended without being killed hung, crashed, or gave up a thread."""
    pids = [sample.pid for sample in samples if sample.pid]
    restarts = sum(before != after for before, after in pairwise(pids))
    figure = f"{restarts} restarts seen, {kills} kills"
    return Verdict("the worker of pool watch never ended by itself", restarts <= kills, figure)
