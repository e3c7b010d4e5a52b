"""Each numbered rule of the voter, and of the record, one by one."""

from __future__ import annotations

import pytest

from deployments.node.messages import (
    FREE,
    UNKNOWN,
    Answer,
    Ask,
    Drain,
    Heard,
    Record,
    State,
    Vote,
    adopt,
    next_record,
    trust_heard,
)
from deployments.node.term import Voter
from deployments.node.timing import Timing

TIMING = Timing()
NOW = 1000.0
A1, B2, A3 = Record(1, "pc-a"), Record(2, "pc-b"), Record(3, "pc-a")
LENT_TO_B = Vote("pc-b", 1, NOW + 5.0)
LENT_TO_A = Vote("pc-a", 1, NOW + 5.0)


def ask(
    sender: str = "pc-a",
    record: Record | None = A1,
    want: bool = True,
    serving: bool = False,
    t: float = 5.0,
) -> Ask:
    return Ask(sender, f"{sender}#1", t, record, want, serving, None)


def lend(said: Ask, state: State, now: float = NOW, serving: bool = False) -> tuple[State, Answer]:
    return Voter("pc-b", TIMING).answer(said, state, now, serving)


VOTES = {
    "a free vote is lent to the node that both records name": (ask(), State(A1), False, True),
    "voter 1: a higher record in the ask is adopted before the vote is decided": (
        ask(record=A3), State(B2), False, True,
    ),
    "a lower record in the ask gets no vote": (ask(), State(A3), False, False),
    "equal epochs with two holders get no vote": (
        ask(record=Record(2, "pc-a")), State(B2), False, False,
    ),
    "voter 4: a node that does not want to serve gets no vote": (
        ask(want=False), State(A1), False, False,
    ),
    "voter 4: a node that the record does not name gets no vote": (
        ask("pc-b"), State(A1), False, False,
    ),
    "voter 4: a node without a record gets no vote": (ask(record=None), State(None), False, False),
    "voter 4: a voter that serves itself lends nothing": (ask(), State(A1), True, False),
    "voter 4: a vote lent to the other is not lent": (ask(), State(A1, LENT_TO_B), False, False),
    "voter 4: a vote lent to the asker is lent on": (ask(), State(A1, LENT_TO_A), False, True),
    "voter 4: a vote whose time is over is lent": (
        ask(), State(A1, Vote("pc-b", 1, NOW)), False, True,
    ),
    "a vote of before the boot is not lent, not even at a higher epoch": (
        ask(record=A3), State(A1, Vote(UNKNOWN, 0, NOW + 1)), False, False,
    ),
    "a vote of before the boot is lent when its time is over": (
        ask(), State(A1, Vote(UNKNOWN, 0, NOW)), False, True,
    ),
    "a lost record lends nothing before both nodes have asked": (
        ask(), State(None, missing=frozenset({"pc-a", "pc-b"})), False, False,
    ),
    "a lost record is back with the last of the nodes that ask": (
        ask(), State(None, missing=frozenset({"pc-a"})), False, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "state", "serving", "granted"), VOTES.values(), ids=VOTES)
def test_voter_lends(said: Ask, state: State, serving: bool, granted: bool) -> None:
    assert lend(said, state, serving=serving)[1].granted is granted


LEFT = {
    "voter 3: stopped, and at a higher epoch than the vote's: free": (B2, False, FREE),
    "voter 3: still serving: lent": (B2, True, LENT_TO_A),
    "voter 3: stopped, but still at the vote's epoch: lent": (A1, False, LENT_TO_A),
    "voter 3: no record at all says nothing: lent": (None, False, LENT_TO_A),
}


@pytest.mark.parametrize(("record", "serving", "vote"), LEFT.values(), ids=LEFT)
def test_voter_takes_its_vote_back(record: Record | None, serving: bool, vote: Vote) -> None:
    said = ask(record=record, want=False, serving=serving)
    assert lend(said, State(B2, LENT_TO_A))[0].vote == vote


def test_voter_3_takes_nothing_back_on_the_word_of_another() -> None:
    assert lend(ask("pc-b", A3, want=False), State(A1, LENT_TO_A))[0].vote == LENT_TO_A


def test_voter_5_lends_for_a_term_and_the_slack_from_its_own_clock() -> None:
    state, _ = lend(ask(t=999_999.0), State(A1))
    assert state.vote == Vote("pc-a", 1, NOW + 21.0)


def test_voter_5_never_shortens_what_it_has_lent() -> None:
    state, _ = lend(ask(), State(A1, Vote("pc-a", 1, NOW + 500.0)))
    assert state.vote.until == NOW + 500.0


def test_voter_2_hears_only_a_node_that_says_it_serves() -> None:
    state, _ = lend(ask(), State(A1))
    assert state.heard["pc-a"] == Heard(NOW, None, A1, None)
    state, _ = lend(ask(serving=True), state, NOW + 1)
    state, _ = lend(ask(), state, NOW + 2)
    assert (state.heard["pc-a"].at, state.heard["pc-a"].serving_at) == (NOW + 2, NOW + 1)
    assert not state.heard["pc-a"].serving
    assert lend(ask(serving=True), state)[0].heard["pc-a"].serving


def test_voter_withholds_its_vote_after_a_boot() -> None:
    assert Voter("pc-b", TIMING).boot_vote(3.0) == Vote(UNKNOWN, 0, 24.0)


def test_voter_repeats_the_clock_and_boot_of_the_ask_and_tells_its_record() -> None:
    _, told = lend(ask(record=A1), State(B2), serving=True)
    assert told == Answer("pc-b", "pc-a#1", 5.0, B2, False, True, False)


DRAINS = {
    "said to the node while the wish is fresh": (Drain("pc-a", 1, NOW + 1), True),
    "not said once the wish has lapsed": (Drain("pc-a", 1, NOW), False),
    "not said to the other node": (Drain("pc-b", 1, NOW + 1), False),
    "not said for another epoch": (Drain("pc-a", 2, NOW + 1), False),
    "not said without a wish": (None, False),
}


@pytest.mark.parametrize(("wish", "said"), DRAINS.values(), ids=DRAINS)
def test_a_drain_is(wish: Drain | None, said: bool) -> None:
    assert lend(ask(), State(A1, drain=wish))[1].drain is said


def test_a_lost_record_is_taken_from_the_node_with_the_highest_epoch() -> None:
    state = State(None, missing=frozenset({"pc-a", "pc-b"}))
    state, _ = lend(ask("pc-b", A3), state)
    assert state.record is None
    state, told = lend(ask("pc-a", A1), state)
    assert state.record == A3 == told.record


def test_a_node_that_serves_alone_does_not_count_towards_a_lost_record() -> None:
    state = State(None, missing=frozenset({"pc-a"}))
    state, told = lend(ask()._replace(sole=True), state)
    assert state.missing == {"pc-a"}
    assert not told.granted


def test_a_person_can_end_the_wait_for_a_lost_record() -> None:
    heard = {"pc-b": Heard(NOW, None, B2, None)}
    state = trust_heard(State(None, heard=heard, missing=frozenset({"pc-a"})))
    assert (state.record, state.missing) == (B2, frozenset())
    assert trust_heard(State(None, missing=frozenset({"pc-a"}))).record is None


RECORDS = {
    "a higher one is adopted": (A1, B2, B2),
    "a lower one is ignored": (B2, A1, B2),
    "an equal one with another holder is ignored": (B2, Record(2, "pc-a"), B2),
    "any is adopted where there is none": (None, A1, A1),
    "none changes nothing": (A1, None, A1),
}


@pytest.mark.parametrize(("mine", "other", "result"), RECORDS.values(), ids=RECORDS)
def test_of_records(mine: Record | None, other: Record | None, result: Record | None) -> None:
    assert adopt(State(mine), other).record == result


def test_the_next_record_is_above_every_epoch_heard_of() -> None:
    heard = {"pc-a": Heard(NOW, None, Record(7, "pc-a"), None)}
    assert next_record(State(A1, heard=heard), A1, "pc-b") == Record(8, "pc-b")


def test_no_record_is_made_when_another_was_decided_on_or_it_is_lost() -> None:
    assert next_record(State(B2), A1, "pc-b") is None
    assert next_record(State(None, missing=frozenset({"pc-a"})), None, "pc-b") is None
