"""Who may serve, and until when: the voter and the holder, without I/O, clock or threads.

A gateway runs only inside a term, and a term needs two votes of three: the node's own and one more.
Both sides are called under the node's one lock, around: load the state, decide, write what changed,
answer. `now` is always this machine's CLOCK_BOOTTIME in seconds.
"""

from __future__ import annotations

from enum import Enum

from .messages import FREE, UNKNOWN, Answer, Ask, Heard, Record, State, Vote, adopt, trust_heard
from .term_file import TermFile, why_no_start
from .timing import Timing


class Action(Enum):
    """What the guard does to the gateway after a look at its terms."""

    NOTHING = "nothing"
    START = "start"
    DRAIN = "drain"  # SIGTERM to its main process; it may take its time
    STOP = "stop"  # as systemctl stop: SIGTERM now, and SIGKILL after K even if this guard hangs
    KILL = "kill"  # SIGKILL to the whole cgroup, now, and no restart that waits


class Voter:
    """Lends this machine's vote to one node at a time."""

    def __init__(self, name: str, timing: Timing) -> None:
        self.name = name
        self.timing = timing

    def boot_vote(self, now: float) -> Vote:
        """The vote when /run holds none: it may be lent, so it is withheld for as long as that."""
        return Vote(UNKNOWN, 0, now + self.timing.lent)

    def answer(self, ask: Ask, state: State, now: float, serving: bool) -> tuple[State, Answer]:
        """Return the state to write first, and the answer to send after that.

        `serving`: is there a gateway here in any state but stopped, orphans included. It is read
        under the same lock as the record, which `permit` takes too: so a start that this call
        did not see finds the record that this call wrote.
        """
        state = self._note(ask, self._adopt(ask, state), now)
        if self._has_left(ask, state.vote):
            state = state._replace(vote=FREE)
        granted = self._may_lend(ask, state, serving) and self._is_free(state.vote, ask, now)
        if granted and state.record is not None:
            until = max(state.vote.until, now + self.timing.lent)
            state = state._replace(vote=Vote(ask.sender, state.record.epoch, until))
        drain = self._drains(ask, state, now)
        told = Answer(self.name, ask.boot_id, ask.t, state.record, granted, serving, drain)
        return state, told

    def _adopt(self, ask: Ask, state: State) -> State:
        """Rule 1: a higher record first. A lost one comes back only when every node has asked."""
        return state if state.missing else adopt(state, ask.record)

    def _note(self, ask: Ask, state: State, now: float) -> State:
        """Rule 2: every ask is noted, but a node counts as heard only when it says it serves."""
        last = state.heard.get(ask.sender)
        served = now if ask.serving else last.serving_at if last else None
        heard = {**state.heard, ask.sender: Heard(now, served, ask.record, ask.heard_s)}
        if not state.missing or ask.sole:  # who serves alone has not yet come back under the votes
            return state._replace(heard=heard)
        state = state._replace(heard=heard, missing=state.missing - {ask.sender})
        return state if state.missing else trust_heard(state)

    def _has_left(self, ask: Ask, vote: Vote) -> bool:
        """Rule 3: the borrower is at a higher epoch and stopped, so it has no term of this vote."""
        return (
            vote.to == ask.sender
            and ask.record is not None
            and ask.record.epoch > vote.epoch
            and not ask.serving
        )

    def _may_lend(self, ask: Ask, state: State, serving: bool) -> bool:
        """Rule 4: only to the node that both records name, and never while this machine serves."""
        return ask.want and state.record == ask.record and state.names(ask.sender) and not serving

    def _is_free(self, vote: Vote, ask: Ask, now: float) -> bool:
        """Rule 4: lent to the asker already, or lent to nobody any more."""
        return vote.to == ask.sender or now >= vote.until

    def _drains(self, ask: Ask, state: State, now: float) -> bool:
        """Say drain to the one node, at the one epoch, and only while T440 renews its wish."""
        wish, record = state.drain, state.record
        if wish is None or record is None:
            return False
        return (wish.to, wish.epoch) == (ask.sender, record.epoch) and now < wish.until


class Holder:
    """Knows, on one node, until when that node may serve; a guard process is one Holder.

    `other`: the other node. `started`: when this guard began. Both voters get the same ask.
    """

    def __init__(self, name: str, other: str, boot_id: str, started: float, timing: Timing) -> None:
        self.name = name
        self.other = other
        self.boot_id = boot_id
        self.started = started
        self.timing = timing
        self.terms: dict[str, float] = {}
        self.serve_until = 0.0
        self._record: Record | None = None  # the one at which the terms were granted
        self._drained_by = ""
        self._drained_until = 0.0
        self._drain_sent = False
        self._stop_sent: float | None = None
        self._found_none = False  # until it has seen no gateway, one that runs is not its own

    def ask(self, now: float, state: State, serving: bool) -> tuple[State, Ask]:
        """Return the state to write first, and what to send to both voters.

        `serving` must be read after `state`: "stopped, at this epoch" is what gives votes back.
        """
        self._follow(state)
        heard = state.heard.get(self.other)
        served_at = heard.serving_at if heard is not None else None
        silent = None if served_at is None else now - served_at
        state = self._serve_alone(now, state)
        want = state.names(self.name)
        lent = state.vote.to == self.name and now < state.vote.until  # a gateway may live by it
        alone = lent or state.record == (state.sole, self.name)
        return state, Ask(self.name, self.boot_id, now, state.record, want, serving, silent, alone)

    def hear(self, answer: Answer, now: float, state: State) -> State:
        """Take in one answer and return the state to write; the term file may have changed too."""
        if self._is_stale(answer):
            return state
        state = adopt(state, answer.record)
        self._follow(state)
        if answer.granted and answer.record is not None and answer.record == state.record:
            until = self._term_end(answer, now)
            self.terms[answer.sender] = max(self.terms.get(answer.sender, 0.0), until)
            self.serve_until = max(self.serve_until, until)
            if state.sole or state.vote.to == self.name:
                vote = FREE if state.vote.to == self.name else state.vote
                state = state._replace(sole=0, vote=vote)
        if self._gives_back(answer, state):
            state = state._replace(vote=FREE)
        self._note_drain(answer, state)
        return self._note_serving(answer, state)

    def look(self, now: float, state: State, running: bool) -> Action:
        """Say what to do with the gateway, after all answers that have arrived were heard.

        `running`: it is in any state but stopped. Write the term file before acting on this.
        """
        self._follow(state)
        if not running:
            self._found_none, self._drain_sent, self._stop_sent = True, False, None
            file = self.term_file(now)
            why_not = why_no_start(self.name, state, file, self.boot_id, now, self.timing)
            return Action.NOTHING if why_not else Action.START
        if not self._found_none:
            return Action.KILL  # whose it is, and under which term it began, is not known
        if self._may_serve(now, state) and self._stop_sent is None:
            drain = self._is_drained(now) and not self._drain_sent
            self._drain_sent = self._drain_sent or drain
            return Action.DRAIN if drain else Action.NOTHING
        return self._stop(now)

    def term_file(self, now: float) -> TermFile:
        """What the fuse and `permit` must know, to be written when it differs from the last one."""
        epoch = self._record.epoch if self._record else 0
        return TermFile(
            self.boot_id, epoch, self._last_term(), self.serve_until, self._is_drained(now)
        )

    def _is_stale(self, answer: Answer) -> bool:
        """Rule 1: an answer to another boot or to an earlier guard says nothing to this one."""
        return answer.boot_id != self.boot_id or answer.t < self.started

    def _follow(self, state: State) -> None:
        """Rule 1: a change of the record ends all terms, and the drain, of the one before."""
        if state.record != self._record:
            self._record = state.record
            self.terms.clear()
            self._drained_until = 0.0

    def _term_end(self, answer: Answer, now: float) -> float:
        """Rule 2: counted from the asking, never from the arrival: delay can only shorten it."""
        return answer.t + self.timing.term

    def _gives_back(self, answer: Answer, state: State) -> bool:
        """Rule 3: the other node has left the epoch of this node's vote, and stopped.

        A vote of before the boot has no epoch: that it is over shows only in the other node's own
        grant to this one. What T440 grants tells nothing about this node's vote.
        """
        if answer.sender != self.other or answer.record is None:
            return False
        if state.vote.to == UNKNOWN:
            return answer.granted and answer.record == state.record
        left = not answer.serving and answer.record.epoch > state.vote.epoch
        return state.vote.to == self.other and left

    def _note_drain(self, answer: Answer, state: State) -> None:
        """Stay drained only while a fresh answer says so, at this node's own record."""
        until = answer.t + self.timing.drain_memory
        if answer.drain and answer.record == state.record:
            self._drained_by, self._drained_until = answer.sender, max(self._drained_until, until)
        elif answer.sender == self._drained_by and until > self._drained_until:
            self._drained_until = 0.0

    def _note_serving(self, answer: Answer, state: State) -> State:
        """A voter that says it serves has been heard, as of the moment when it was asked."""
        heard = state.heard.get(answer.sender)
        if not answer.serving or heard is None or (heard.serving_at or 0.0) >= answer.t:
            return state
        return state._replace(
            heard={**state.heard, answer.sender: heard._replace(serving_at=answer.t)}
        )

    def _serve_alone(self, now: float, state: State) -> State:
        """With the other two off by a person's word, lend the own vote to oneself, for two.

        That ends with the first grant of another: from then on the votes decide again.
        """
        is_lent = state.vote.to != self.name and now < state.vote.until
        if state.record != (state.sole, self.name) or is_lent:
            return state
        self.terms[self.name] = now + self.timing.term
        self.serve_until = max(self.serve_until, now + self.timing.term)
        return state._replace(vote=Vote(self.name, state.sole, now + self.timing.lent))

    def _last_term(self) -> float:
        return max(self.terms.values(), default=0.0)

    def _is_drained(self, now: float) -> bool:
        return now < self._drained_until

    def _may_serve(self, now: float, state: State) -> bool:
        """Rule 5: named by the record, and more than the margin left of the longest term."""
        return state.names(self.name) and now < self._last_term() - self.timing.margin

    def _stop(self, now: float) -> Action:
        """Rule 5: SIGTERM once, then SIGKILL after the budget or before the last term ends."""
        if now >= self.serve_until - self.timing.last_call:
            return Action.KILL
        if self._stop_sent is None:
            self._stop_sent = now
            return Action.STOP
        late = now >= self._stop_sent + self.timing.kill_budget
        return Action.KILL if late else Action.NOTHING
