"""What a guard leaves in /run, and the two that judge by it without the guard: permit and fuse."""

from __future__ import annotations

from typing import NamedTuple

from .messages import State
from .timing import Timing


class TermFile(NamedTuple):
    """What one guard has been granted, by its node's CLOCK_BOOTTIME.

    `until`: the end of the longest term at `epoch`; falls to 0 when the record changes.
    `serve_until`: the end of the longest term that this guard ever had, never lowered: a gateway
    that is told to stop may live as long as the term in which it was started or went on.
    """

    boot_id: str
    epoch: int
    until: float
    serve_until: float
    drained: bool


def why_no_start(
    name: str, state: State, file: TermFile | None, boot_id: str, now: float, timing: Timing
) -> str:
    """Rule 4, `permit`: why no gateway may start on node `name` now, or "" when one may.

    Asked by the guard and by the gateway unit itself, each time under the node's lock and once the
    unit already counts as serving.
    """
    record, vote = state.record, state.vote
    if record is None or record.holder != name:
        return f"the record names {record.holder if record else 'nobody'}"
    if vote.to != name and now < vote.until:
        return f"the own vote is lent to {vote.to} for another {vote.until - now:.1f} s"
    if file is None or file.boot_id != boot_id or file.epoch != record.epoch:
        return f"there is no term of this boot at epoch {record.epoch}"
    if now >= file.until - timing.margin - 1.0:
        return f"the term has {file.until - now:.1f} s left"
    return "the node is drained" if file.drained else ""


def fuse_blows(now: float, boot_id: str, file: TermFile | None, timing: Timing) -> bool:
    """Rule 6: must whatever gateway runs be killed now, whatever the guard may be doing?"""
    if file is None or file.boot_id != boot_id:
        return True
    return now >= file.serve_until - timing.fuse_lead
