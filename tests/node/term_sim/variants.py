"""The rules with one of them broken: the checker must find what that one prevents."""

from __future__ import annotations

from collections.abc import Callable

from deployments.node.messages import FREE, UNKNOWN, Answer, Ask, State, Vote
from deployments.node.term import Action, Holder, Voter
from deployments.node.timing import Timing

from .host import Host
from .node import Node
from .watchdog import Watchdog
from .world import Variant


class NotExclusive(Voter):
    """Lends its vote to whoever the record names, lent or not."""

    def _is_free(self, vote: Vote, ask: Ask, now: float) -> bool:
        return True


class NoWaitAfterBoot(Voter):
    """Takes its vote for free when a boot has made it forget to whom it was lent."""

    def boot_vote(self, now: float) -> Vote:
        return FREE


class BackWhileServing(Voter):
    """Takes its vote back from a borrower that has left the epoch, but not yet stopped."""

    def _has_left(self, ask: Ask, vote: Vote) -> bool:
        return super()._has_left(ask._replace(serving=False), vote)


class LendsWhileServing(Voter):
    """Lends its vote while a gateway runs on its own machine."""

    def _may_lend(self, ask: Ask, state: State, serving: bool) -> bool:
        return super()._may_lend(ask, state, False)


class FreedByT440(Holder):
    """Takes T440's grant for a sign that the own vote is free again."""

    def _gives_back(self, answer: Answer, state: State) -> bool:
        return super()._gives_back(answer, state) or answer.granted


class LostRecordNotWaitedFor(Voter):
    """Takes a lost record over from the first node that asks."""

    def answer(self, ask: Ask, state: State, now: float, serving: bool) -> tuple[State, Answer]:
        return super().answer(ask, state._replace(missing=frozenset()), now, serving)


class NoPermit(Node):
    """The gateway unit has no ExecCondition=."""

    def may_not_start(self, permit: Callable[..., str], now: float, timing: Timing) -> bool:
        return False


class TermsOverEpochs(Holder):
    """Keeps its terms when the record changes."""

    def _follow(self, state: State) -> None:
        self._record = state.record


class BackAtSameEpoch(Holder):
    """Takes its vote back when the borrower says that it is stopped, at whatever epoch."""

    def _gives_back(self, answer: Answer, state: State) -> bool:
        stopped = answer.sender == self.other == state.vote.to and not answer.serving
        return stopped or super()._gives_back(answer, state)


class BackAfterBoot(Holder):
    """After a boot, takes "stopped" for a sign that the vote of before is over."""

    def _gives_back(self, answer: Answer, state: State) -> bool:
        stopped = answer.sender == self.other and not answer.serving
        return (stopped and state.vote.to == UNKNOWN) or super()._gives_back(answer, state)


class OtherBoots(Holder):
    """Takes answers to an earlier boot of its node."""

    def _is_stale(self, answer: Answer) -> bool:
        return answer.t < self.started


class AloneUntilHigherRecord(Holder):
    """Goes on serving alone when others grant it terms again, and does not tell them."""

    def hear(self, answer: Answer, now: float, state: State) -> State:
        heard = super().hear(answer, now, state)
        return heard._replace(sole=state.sole) if heard.record == state.record else heard

    def ask(self, now: float, state: State, serving: bool) -> tuple[State, Ask]:
        state, said = super().ask(now, state, serving)
        return state, said._replace(sole=False)


class OwnVoteNotCounted(Node):
    """One voter is enough: the own vote may be lent to the other node."""

    def permit_state(self) -> State:
        return self.state._replace(vote=FREE)


class OwnVoteNotCountedHolder(Holder):
    def look(self, now: float, state: State, running: bool) -> Action:
        return super().look(now, state._replace(vote=FREE), running)


class FromArrival(Holder):
    """Counts a term from the arrival of the answer."""

    def _term_end(self, answer: Answer, now: float) -> float:
        return now + self.timing.term


class NoCommonLock(Watchdog):
    """Two answers at once: one loads and decides, stands still, and writes after the other."""

    def hear_ask(self, ask: Ask, source: Host) -> None:
        state, answer = self.voter.answer(ask, self.state, self.clock(), self.serves())
        stall = 5.0 if source.name == "pc-a" else 0.0
        self.after(stall, self._write_late, state, answer, source)

    def _write_late(self, state: State, answer: Answer, source: Host) -> None:
        if answer.granted:
            self.write(self.state._replace(vote=state.vote, heard=state.heard))
        else:
            self.write(self.state._replace(heard=state.heard))
        self.world.send(self, source, source.hear_answer, answer)


class SilentStandby(Node):
    """Asks only while its record names it."""

    def send_asks(self, guard: Holder, now: float) -> None:
        record = self.state.record
        if record is not None and record.holder == self.name:
            super().send_asks(guard, now)


class NoFuse(Node):
    def arm_fuse(self) -> None:
        """There is none."""


class UnboundedStop(Holder):
    """SIGKILL after the budget, wherever the end of the term is, until it is over."""

    def _stop(self, now: float) -> Action:
        if now >= self.serve_until:
            return Action.KILL
        if self._stop_sent is None:
            self._stop_sent = now
            return Action.STOP
        late = now >= self._stop_sent + self.timing.kill_budget
        return Action.KILL if late else Action.NOTHING


class ShortMargin(Timing):
    """M = 5: less than the guard's watchdog."""

    @property
    def margin(self) -> float:
        return 5.0


VARIANTS = {
    "votes are not exclusive": Variant(voter=NotExclusive),
    "the own vote is not counted": Variant(node=OwnVoteNotCounted, holder=OwnVoteNotCountedHolder),
    "no wait after a boot": Variant(voter=NoWaitAfterBoot),
    "a term counts from the arrival of the answer": Variant(holder=FromArrival),
    "no common lock": Variant(watchdog=NoCommonLock),
    "a standby does not ask": Variant(node=SilentStandby),
    "no fuse": Variant(node=NoFuse),
    "no fuse, and a stop not bounded by the term": Variant(node=NoFuse, holder=UnboundedStop),
    "a vote comes back from a node that still serves": Variant(voter=BackWhileServing),
    "a node lends its vote while it serves": Variant(voter=LendsWhileServing),
    "T440's grant frees the own vote": Variant(holder=FreedByT440),
    "a lost record is not waited for": Variant(voter=LostRecordNotWaitedFor),
    "the gateway unit asks for no permit": Variant(node=NoPermit),
    "terms outlive their epoch": Variant(holder=TermsOverEpochs),
    "the own vote is back at the same epoch": Variant(holder=BackAtSameEpoch),
    "the unknown vote is back when the other is stopped": Variant(holder=BackAfterBoot),
    "answers to another boot are taken": Variant(holder=OtherBoots),
    "a node serves alone until a higher record": Variant(holder=AloneUntilHigherRecord),
    "a vote is lent for no longer than a term": Variant(timing=Timing(clock_slack=0.0)),
    "a margin of 5 s": Variant(timing=ShortMargin()),
}
