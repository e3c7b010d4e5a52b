"""Records, votes, answers and guards that the tests of the holder begin with."""

from __future__ import annotations

from deployments.node.messages import Answer, Record, Vote
from deployments.node.term import Holder
from deployments.node.term_file import TermFile
from deployments.node.timing import Timing

TIMING = Timing()
NOW = 1000.0
A1, B2, A3 = Record(1, "pc-a"), Record(2, "pc-b"), Record(3, "pc-a")
LENT_TO_B = Vote("pc-b", 1, NOW + 5.0)
LENT_TO_A = Vote("pc-a", 1, NOW + 5.0)


def answer(
    sender: str = "t440",
    record: Record | None = A1,
    granted: bool = True,
    serving: bool = False,
    drain: bool = False,
    t: float = NOW,
    boot_id: str = "pc-a#1",
) -> Answer:
    return Answer(sender, boot_id, t, record, granted, serving, drain)


def holder(started: float = NOW - 100.0) -> Holder:
    return Holder("pc-a", "pc-b", "pc-a#1", started, TIMING)


def file(until: float, epoch: int = 1, boot_id: str = "pc-a#1", drained: bool = False) -> TermFile:
    return TermFile(boot_id, epoch, until, until, drained)
