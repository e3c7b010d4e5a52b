"""The table of a benchmark. Pure: samples in, medians, verdicts and Markdown out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEAD = ("what", "median", "min", "max", "n", "goal", "met")
# unit -> what a sample is multiplied with before it is shown, and digits after the point
UNITS = {"s": (1.0, 2), "ms": (1000.0, 1), "%": (100.0, 1)}


@dataclass(frozen=True)
class Goal:
    """No more than `limit`, in the samples' own unit: by the median, or by `share` of the runs."""

    limit: float
    share: float | None = None

    def is_met(self, samples: Sequence[float]) -> bool:
        """Whether these samples keep it."""
        if self.share is None:
            return median(samples) <= self.limit
        return self.kept(samples) >= self.share * len(samples)

    def kept(self, samples: Sequence[float]) -> int:
        """How many of the samples are no more than the limit."""
        return sum(sample <= self.limit for sample in samples)


@dataclass(frozen=True)
class Row:
    """One thing that was measured: at least one sample, in seconds or as a share of 1.

    `unit`: how it is shown, one of UNITS.
    """

    what: str
    samples: tuple[float, ...]
    unit: str = "s"
    goal: Goal | None = None

    def cells(self) -> tuple[str, ...]:
        """The row's cells as text, in the order of HEAD."""
        samples = self.samples
        shown = [self._shown(value) for value in (median(samples), min(samples), max(samples))]
        return (self.what, *shown, str(len(samples)), self._goal(), self._met())

    def _shown(self, value: float) -> str:
        factor, digits = UNITS[self.unit]
        return f"{value * factor:.{digits}f} {self.unit}"

    def _goal(self) -> str:
        if self.goal is None:
            return ""
        limit = f"<= {self._shown(self.goal.limit)}"
        if self.goal.share is None:
            return limit
        return f"{limit} in {self.goal.share * 100:g} of 100"

    def _met(self) -> str:
        if self.goal is None:
            return ""
        word = "yes" if self.goal.is_met(self.samples) else "no"
        if self.goal.share is None:
            return word
        return f"{word}: {self.goal.kept(self.samples)} of {len(self.samples)}"


@dataclass(frozen=True)
class Group:
    """Rows that were measured together, below one title."""

    title: str
    rows: tuple[Row, ...]


def one_more(busy: Sequence[float], idle: Sequence[float], count: int) -> tuple[float, ...]:
    """What each of `count` things done in a busy span cost, beyond the median of the idle spans.

    All spans are of equal length. A cost below nothing is noise, and is told as it is.
    """
    share = median(idle)
    return tuple((spent - share) / count for spent in busy)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Each of our samples as a share of the median of theirs; NaN when that is nothing."""
    base = median(theirs)
    return tuple(sample / base if base else math.nan for sample in ours)


def render(groups: Sequence[Group]) -> str:
    """One Markdown table; each group's title is a line in it."""
    lines = [_line(HEAD), _line(["---"] + ["---:"] * 4 + ["---", "---"])]
    for group in groups:
        lines.append(_line([f"**{group.title}**"] + [""] * (len(HEAD) - 1)))
        lines += [_line(row.cells()) for row in group.rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
