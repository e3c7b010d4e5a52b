"""What a doctor finds: lines with a verdict and a remedy, and the verdict of all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """FAIL: a failover would not work. WARN: something is missing for a later one."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, and how to mend it."""

    verdict: Verdict
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.verdict:4}  {self.what}"
        return f"{line}\n      remedy: {self.remedy}" if self.remedy else line


def worst(findings: Sequence[Finding]) -> Verdict:
    """The verdict of all of them together."""
    order = list(Verdict)
    return max((one.verdict for one in findings), key=order.index, default=Verdict.OK)


def summary(findings: Sequence[Finding]) -> str:
    """The whole in a sentence."""
    counts = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    lines = f"{counts[Verdict.OK]} OK, {counts[Verdict.WARN]} WARN, {counts[Verdict.FAIL]} FAIL"
    would = "would not work well" if counts[Verdict.FAIL] else "would work"
    return f"A failover {would} now: {lines}"


def ok(what: str) -> Finding:
    return Finding(Verdict.OK, what)


def warn(what: str, remedy: str) -> Finding:
    return Finding(Verdict.WARN, what, remedy)


def fail(what: str, remedy: str) -> Finding:
    return Finding(Verdict.FAIL, what, remedy)
