"""The invariants, checked against what really happened, not against what the guard believes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from deployments.node.messages import Answer, Ask, Record

if TYPE_CHECKING:
    from .host import Host
    from .node import Node
    from .world import World

RESUME_BOUND = 0.55
"""I1 and I4 allow this much after a resume: one turn of the fuse (0.5 s) and the kill itself."""


@dataclass
class Counts:
    """What a schedule contained, so that tame ones do not pass for proof."""

    moves: int = 0
    refused_lent: int = 0
    cut_short: int = 0
    two_candidates_s: float = 0.0
    serving_s: float = 0.0
    starts: int = 0
    resume_overlap_s: float = 0.0  # the longest
    i6_watches: int = 0

    def add(self, other: Counts) -> None:
        for item in fields(self):
            mine, its = getattr(self, item.name), getattr(other, item.name)
            longest = item.name == "resume_overlap_s"
            setattr(self, item.name, max(mine, its) if longest else mine + its)


@dataclass
class Truth:
    """What the oracle knows of one node: its terms by its own clock and by true time."""

    granted: dict[Record, float] = field(default_factory=dict)
    boot_no: int = 0
    valid_until: float = -1.0
    fresh_until: float = -1.0


class Oracle:
    """`violations`: one sentence each, with the time. Stops counting at the first of a kind."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts = Counts()
        self.violations: dict[str, str] = {}
        self.truth = {"pc-a": Truth(), "pc-b": Truth()}
        self.candidates = False
        self.highest = 1  # an epoch on its way, or lost with T440's record, may still turn up
        self.i6_node: Node | None = None
        self._overlap_since: float | None = None

    def violate(self, name: str, sentence: str) -> None:
        self.violations.setdefault(name, f"{name} at {self.world.now:.3f}: {sentence}")

    def span(self, since: float, now: float) -> None:
        """I1 and I4 over a span in which nothing changed."""
        a, b = self.world.pc_a, self.world.pc_b
        if a.polls or b.polls:
            self.counts.serving_s += now - since
            if a.polls and b.polls:
                self._two(since, now)
            else:
                self._overlap_since = None
            for node in (a, b):
                if node.polls and now > self.truth[node.name].valid_until:
                    self._past_term(node, now)
        if self.candidates:
            self.counts.two_candidates_s += now - since

    def _two(self, since: float, now: float) -> None:
        if self._overlap_since is None:
            self._overlap_since = since
        if any(self._excused(node, now) for node in self.world.nodes.values()):
            longest = max(self.counts.resume_overlap_s, now - self._overlap_since)
            self.counts.resume_overlap_s = longest
        else:
            self.violate("I1", f"two gateways run, since {self._overlap_since:.3f}")

    def _past_term(self, node: Node, now: float) -> None:
        if not self._excused(node, now):
            over = now - self.truth[node.name].valid_until
            self.violate("I4", f"{node.name} serves {over:.2f} s past its last term")

    def _excused(self, node: Node, now: float) -> bool:
        """A gateway that was running when its node stood still, for a moment after the resume."""
        was_there = node.gateway.started_at <= node.resumed_at
        return was_there and now <= node.resumed_at + RESUME_BOUND

    def record_written(self, host: Host, old: Record | None, new: Record | None) -> None:
        """I2: on each disk epochs only grow."""
        self.highest = max(self.highest, new.epoch if new else 0)
        if old is not None and (new is None or new.epoch <= old.epoch):
            self.violate("I2", f"{host.name} went from {old} to {new}")

    def answered(self, node: Node, answer: Answer) -> None:
        """Note the true term behind a grant, before the guard sees the answer."""
        if not answer.granted or answer.boot_id != node.boot_id or answer.record is None:
            return
        until = answer.t + self.world.timing.term
        if until > self.truth[node.name].granted.get(answer.record, 0.0):
            late = node.clock() - answer.t > 1.0
            self.counts.cut_short += late and answer.record == node.state.record
        self._note_term(node, answer.record, until)

    def _note_term(self, node: Node, record: Record, until: float) -> None:
        truth = self.truth[node.name]
        if truth.boot_no != node.boot_no:
            truth.granted.clear()
            truth.boot_no = node.boot_no
            truth.valid_until = -1.0
        truth.granted[record] = max(truth.granted.get(record, 0.0), until)
        truth.valid_until = max(truth.valid_until, node.true_time(until))

    def started(self, node: Node) -> None:
        """I5: a start needs a term at the very record that is on the disk."""
        self.counts.starts += 1
        truth, record = self.truth[node.name], node.state.record
        until = truth.granted.get(record, 0.0) if record is not None else 0.0
        named = record is not None and record.holder == node.name
        if truth.boot_no != node.boot_no or not named or node.clock() >= until:
            self.violate("I5", f"{node.name} starts a gateway with no term at {record}")

    def stopping(self, node: Node) -> None:
        """I6: with T440 alone down, the holder is told to stop by nobody."""
        if node is self.i6_node:
            self.violate("I6", f"{node.name} stops though only T440 is down")

    def watch_i6(self) -> None:
        """T440 has just gone: from now on the holder must serve on, if it was well until now."""
        node = next((n for n in self.world.nodes.values() if n.gateway.is_up), None)
        if node is None or self.i6_node is not None:
            return
        t440, other = self.world.t440.state, self.world.nodes[node.other].state
        agreed = node.state.record == other.record == t440.record
        named = t440.record == (self.highest, node.name)
        lent = other.vote.to == node.name
        calm = self.world.t440.drained_at < self.world.now - 35.0 and not node.gateway.sick
        fresh = node.guard is not None and not node.hung and not node.paused
        margin = self.world.timing.margin + self.world.timing.ask + 1.0
        left = self._left_from(node, node.other) > margin
        if agreed and named and lent and calm and fresh and left and self._is_linked(node):
            self.i6_node = node
            self.counts.i6_watches += 1

    def _is_linked(self, node: Node) -> bool:
        other, ways = (
            self.world.nodes[node.other],
            ((node.name, node.other), (node.other, node.name)),
        )
        clear = not any(self.world.is_cut(*way) or way in self.world.slow for way in ways)
        return clear and other.up and not other.paused

    def _left_from(self, node: Node, voter: str) -> float:
        terms = node.guard.terms if node.guard is not None else {}
        return terms.get(voter, 0.0) - node.clock()

    def end_i6(self) -> None:
        """Another fault, or T440's return: the holder may now have a reason to stop."""
        self.i6_node = None

    def was_asked(self, voter: Host, ask: Ask, answer: Answer) -> None:
        """A vote outlasts the term that it backs; and the refusals for nothing but a lent vote."""
        if answer.granted:
            node = self.world.nodes[ask.sender]
            end = node.true_time(ask.t + self.world.timing.term)
            if node.boot_id == ask.boot_id and voter.true_time(voter.state.vote.until) < end:
                self.violate("vote", f"the vote of {voter.name} ends before its term does")
            return
        named = ask.record is not None and ask.record.holder == ask.sender
        if ask.want and named and ask.record == answer.record and not answer.serving:
            self.counts.refused_lent += not voter.state.missing

    def serves_alone(self, node: Node) -> None:
        """By a person's word the own vote counts as two."""
        until, record = node.clock() + self.world.timing.term, node.state.record
        if record is not None:
            self._note_term(node, record, until)

    def count_candidates(self) -> None:
        """Two candidates: both nodes are up and each has a record that names itself."""
        self.candidates = all(
            node.up and node.state.record is not None and node.state.record.holder == node.name
            for node in self.world.nodes.values()
        )
