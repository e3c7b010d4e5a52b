"""What the three machines say to each other about terms, and what each keeps of it.

Times are seconds of the CLOCK_BOOTTIME of the machine named beside them, which counts while that
machine is suspended; wall time is never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

UNKNOWN = "?"
"""The borrower of a vote that may have been lent before this boot; no machine has this name."""


class Record(NamedTuple):
    """Who may serve (on disk): the holder, and the epoch, which grows by one at each promotion."""

    epoch: int
    holder: str


class Vote(NamedTuple):
    """What this machine lends (in /run): its vote, to one node, until its own BOOTTIME."""

    to: str
    epoch: int
    until: float


FREE = Vote("", 0, 0.0)


class Drain(NamedTuple):
    """T440's wish (in /run) that `to` ends its work at this epoch, until a BOOTTIME of T440."""

    to: str
    epoch: int
    until: float


class Ask(NamedTuple):
    """What a guard says to a voter each second; `t` and `boot_id` are the asker's own.

    `sole`: it serves alone by a person's word, and no voter has granted it anything since.
    `unwell`: its gateway was restarted in place and is still not live; only T440 acts on it.
    """

    sender: str
    boot_id: str
    t: float
    record: Record | None
    want: bool
    serving: bool
    heard_s: float | None
    sole: bool = False
    unwell: bool = False


class Answer(NamedTuple):
    """What a voter says to an ask, whose `boot_id` and `t` it repeats."""

    sender: str
    boot_id: str
    t: float
    record: Record | None
    granted: bool
    serving: bool
    drain: bool


class Heard(NamedTuple):
    """The last ask of one node (in /run): when it came, and when the last that said serving did."""

    at: float
    serving_at: float | None
    record: Record | None
    peer_heard_s: float | None

    @property
    def serving(self) -> bool:
        """Did that last ask say that the node serves?"""
        return self.serving_at == self.at


class State(NamedTuple):
    """What the lock guards: `record` on disk, the rest in /run, gone with a boot.

    `missing`: the nodes that must ask before a lost record is taken over from them (T440 only).
    `sole`: the epoch at which a person has this node serve alone; 0 = it does not, or no longer.
    A boot ends it: the person may have had the other node serve alone since.
    """

    record: Record | None
    vote: Vote = FREE
    heard: Mapping[str, Heard] = {}
    missing: frozenset[str] = frozenset()
    drain: Drain | None = None
    sole: int = 0

    def names(self, node: str) -> bool:
        """Does the record name this node?"""
        return self.record is not None and self.record.holder == node


def adopt(state: State, record: Record | None) -> State:
    """Take over a strictly higher record; not a lower one, nor an equal one of another holder."""
    if record is None or (state.record is not None and record.epoch <= state.record.epoch):
        return state
    return state._replace(record=record, sole=0)


def trust_heard(state: State) -> State:
    """End the wait for a lost record: take over the highest one that was heard of, if any was."""
    known = [heard.record for heard in state.heard.values() if heard.record is not None]
    state = state._replace(missing=frozenset())
    return adopt(state, max(known)) if known else state


def next_record(state: State, decided_on: Record | None, holder: str) -> Record | None:
    """T440's new record, one above every epoch ever heard of; None if it is not to be written.

    It is not when the record is no longer the one that was decided on, or is lost and not all
    nodes have been heard.
    """
    if state.missing or state.record != decided_on:
        return None
    epochs = [heard.record.epoch for heard in state.heard.values() if heard.record is not None]
    return Record(1 + max([state.record.epoch if state.record else 0, *epochs]), holder)
