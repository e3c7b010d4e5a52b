"""Each numbered rule about what the holder takes from answers, and what permit and fuse say."""

from __future__ import annotations

import pytest

from deployments.node.messages import FREE, UNKNOWN, Answer, Heard, Record, State, Vote, adopt
from deployments.node.term import Action, Holder
from deployments.node.term_file import TermFile, fuse_blows, why_no_start

from .term_cases import A1, A3, B2, LENT_TO_B, NOW, TIMING, answer, file, holder

STALE = {
    "holder 1: to another boot of this node": answer(boot_id="pc-a#0"),
    "holder 1: to an earlier guard": answer(t=NOW - 101.0),
    "holder 2: not granted": answer(granted=False),
    "holder 2: granted at a lower record": answer(record=Record(0, "pc-a")),
    "holder 2: granted without a record, while this node has one": answer(record=None),
    "holder 2: granted at an equal epoch with another holder": answer(record=Record(1, "pc-b")),
}


@pytest.mark.parametrize("told", STALE.values(), ids=STALE)
def test_no_term_comes_from_an_answer(told: Answer) -> None:
    guard = holder()
    guard.ask(NOW, State(A1), False)
    guard.hear(told, NOW, State(A1))
    assert (guard.terms, guard.serve_until) == ({}, 0.0)


def test_holder_2_counts_a_term_from_the_asking_however_late_the_answer_is() -> None:
    guard = holder()
    guard.hear(answer(t=NOW), NOW + 9.0, State(A1))
    assert guard.term_file(NOW + 9.0) == TermFile("pc-a#1", 1, NOW + 20, NOW + 20, False)


def test_holder_2_keeps_the_longer_term_when_answers_overtake_each_other() -> None:
    guard = holder()
    guard.hear(answer(t=NOW + 3), NOW + 4, State(A1))
    guard.hear(answer(t=NOW), NOW + 5, State(A1))
    assert (guard.terms, guard.serve_until) == ({"t440": NOW + 23}, NOW + 23)
    guard.hear(answer("pc-b", t=NOW + 1), NOW + 5, State(A1))
    assert (guard.terms["pc-b"], guard.serve_until) == (NOW + 21, NOW + 23)


def test_holder_1_adopts_a_higher_record_and_drops_all_terms_but_not_serve_until() -> None:
    guard = holder()
    state = guard.hear(answer(), NOW, State(A1))
    state = guard.hear(answer(record=B2, granted=False), NOW + 1, state)
    assert state.record == B2
    assert (guard.terms, guard.serve_until) == ({}, NOW + 20)


def test_holder_1_drops_its_terms_when_the_voter_beside_it_adopted_a_higher_record() -> None:
    guard = holder()
    guard.hear(answer(), NOW, State(A1))
    assert guard.look(NOW, State(A3), False) is Action.NOTHING
    assert guard.term_file(NOW).until == 0.0


GIVEN_BACK = {
    "holder 3: the other node stopped at a higher epoch": (
        LENT_TO_B, answer("pc-b", A3, granted=False), True,
    ),
    "holder 3: the other node still serves": (
        LENT_TO_B, answer("pc-b", A3, granted=False, serving=True), False,
    ),
    "holder 3: the other node stopped, but at the vote's epoch": (
        LENT_TO_B, answer("pc-b", A1, granted=False), False,
    ),
    "holder 3: T440 grants, which tells nothing about this node's vote": (
        LENT_TO_B, answer("t440", A3), False,
    ),
    "holder 3: after a boot the other node grants": (
        Vote(UNKNOWN, 0, NOW + 9), answer("pc-b", A3), True,
    ),
    "holder 3: after a boot the other node only says that it stopped": (
        Vote(UNKNOWN, 0, NOW + 9), answer("pc-b", A3, granted=False), False,
    ),
    "holder 3: after a boot the other node grants at another record": (
        Vote(UNKNOWN, 0, NOW + 9), answer("pc-b", A1), False,
    ),
    "holder 3: it is lent to this node itself, which serves alone": (
        Vote("pc-a", 1, NOW + 9), answer("pc-b", A3, granted=False), False,
    ),
    "holder 3: after a boot T440 grants": (
        Vote(UNKNOWN, 0, NOW + 9), answer("t440", A3), False,
    ),
    "holder 1: an answer to another boot": (
        LENT_TO_B, answer("pc-b", A3, granted=False, boot_id="pc-a#0"), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("vote", "told", "free"), GIVEN_BACK.values(), ids=GIVEN_BACK)
def test_own_vote_is_free_again(vote: Vote, told: Answer, free: bool) -> None:
    assert (holder().hear(told, NOW, State(A3, vote)).vote == FREE) is free


PERMIT = {
    "named, own vote free, a long term": (State(A1), file(NOW + 8.1), ""),
    "holder 4: named by no record": (State(None), file(NOW + 20), "the record names nobody"),
    "holder 4: the record names the other": (
        State(B2), file(NOW + 20, epoch=2), "the record names pc-b",
    ),
    "holder 4: the own vote is lent": (
        State(A1, LENT_TO_B), file(NOW + 20), "the own vote is lent to pc-b for another 5.0 s",
    ),
    "holder 4: the own vote was lent, its time is over": (
        State(A1, Vote("pc-b", 1, NOW)), file(NOW + 20), "",
    ),
    "holder 4: the own vote may be lent since before the boot": (
        State(A1, Vote(UNKNOWN, 0, NOW + 1)), file(NOW + 20),
        "the own vote is lent to ? for another 1.0 s",
    ),
    "holder 4: less than the margin and 1 s left": (
        State(A1), file(NOW + 8.0), "the term has 8.0 s left",
    ),
    "holder 4: drained": (State(A1), file(NOW + 20, drained=True), "the node is drained"),
    "holder 4: no guard has written a term": (
        State(A1), None, "there is no term of this boot at epoch 1",
    ),
    "holder 4: the term is of another boot": (
        State(A1), file(NOW + 20, boot_id="pc-a#0"), "there is no term of this boot at epoch 1",
    ),
    "holder 4: the term is of another epoch": (
        State(A3), file(NOW + 20), "there is no term of this boot at epoch 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("state", "term", "reason"), PERMIT.values(), ids=PERMIT)
def test_permit(state: State, term: TermFile | None, reason: str) -> None:
    assert why_no_start("pc-a", state, term, "pc-a#1", NOW, TIMING) == reason


FUSE = {
    "holder 6: a second and more left": (file(NOW + 1.1), False),
    "holder 6: a second left": (file(NOW + 1.0), True),
    "holder 6: long over": (file(NOW - 500.0), True),
    "holder 6: no file": (None, True),
    "holder 6: a file of another boot": (file(NOW + 20, boot_id="pc-a#0"), True),
}


@pytest.mark.parametrize(("term", "blows"), FUSE.values(), ids=FUSE)
def test_fuse(term: TermFile | None, blows: bool) -> None:
    assert fuse_blows(NOW, "pc-a#1", term, TIMING) is blows


ASKS = {
    "wants to serve where the record names it": (State(A1), True),
    "does not where the record names the other": (State(B2), False),
    "does not without a record": (State(None), False),
}


@pytest.mark.parametrize(("state", "want"), ASKS.values(), ids=ASKS)
def test_a_guard_asks_and(state: State, want: bool) -> None:
    same, said = holder().ask(NOW, state, False)
    assert same == state
    assert (said.record, said.want, said.serving, said.t) == (state.record, want, False, NOW)


def test_an_ask_tells_how_long_ago_the_other_node_was_heard_serving() -> None:
    guard, heard = holder(), {"pc-b": Heard(NOW - 1, NOW - 4, B2, None)}
    assert guard.ask(NOW, State(B2, heard=heard), True)[1].heard_s == 4.0
    assert guard.ask(NOW, State(B2), True)[1].heard_s is None


def test_an_answer_that_says_serving_counts_as_heard_when_it_was_asked_for() -> None:
    state = State(B2, heard={"pc-b": Heard(NOW - 9, NOW - 9, B2, None)})
    told = answer("pc-b", B2, granted=False, serving=True, t=NOW - 2)
    state = holder().hear(told, NOW, state)
    assert state.heard["pc-b"].serving_at == NOW - 2
    assert holder().hear(told._replace(t=NOW - 5), NOW, state) == state


def test_an_answer_that_says_stopped_is_no_sign_of_serving() -> None:
    state = State(B2, heard={"pc-b": Heard(NOW - 9, NOW - 9, B2, None)})
    told = answer("pc-b", B2, granted=False, serving=False, t=NOW - 2)
    assert holder().hear(told, NOW, state) == state


def test_a_voter_without_a_record_changes_nothing() -> None:
    for vote in (LENT_TO_B, Vote(UNKNOWN, 0, NOW + 9)):
        state = State(A3, vote)
        assert holder().hear(answer("pc-b", None, granted=False), NOW, state) == state
    guard = holder()
    guard.hear(answer(record=None), NOW, State(None))
    assert guard.term_file(NOW) == file(0.0, epoch=0)  # and so is a guard's term before it asks


def test_only_a_vote_that_is_lent_to_oneself_is_told_as_serving_alone() -> None:
    assert not holder().ask(NOW, State(A1, LENT_TO_B), False)[1].sole
    assert holder().ask(NOW, State(A1, Vote("pc-a", 1, NOW + 5)), False)[1].sole
    assert not holder().ask(NOW, State(A1, Vote("pc-a", 1, NOW - 5)), False)[1].sole


def test_a_vote_lent_to_oneself_is_back_with_a_grant_also_after_the_lone_epoch() -> None:
    state = holder().hear(answer(record=A3), NOW, State(A3, Vote("pc-a", 1, NOW + 9)))
    assert state.vote == FREE


def alone() -> tuple[Holder, State]:
    """A node that a person has told to serve alone, and that does."""
    guard = holder()
    state, said = guard.ask(NOW, State(A1, sole=1), False)
    assert said.sole
    assert guard.look(NOW, state, False) is Action.START
    return guard, state


def test_a_node_that_serves_alone_lends_its_own_vote_to_itself() -> None:
    guard, state = alone()
    assert state.vote == Vote("pc-a", 1, NOW + 21)
    assert guard.term_file(NOW) == file(NOW + 20)


def test_serving_alone_ends_with_a_higher_record() -> None:
    guard, state = alone()
    state = adopt(state, A3)
    assert state.sole == 0
    state, said = guard.ask(NOW + 1, state, True)
    assert (guard.terms, said.sole) == ({}, True)  # until the own vote is free: it still runs
    assert guard.look(NOW + 1, state, True) is Action.STOP
    assert not guard.ask(NOW + 21, state, False)[1].sole


def test_serving_alone_ends_with_the_first_grant_of_another() -> None:
    guard, state = alone()
    state = guard.hear(answer("pc-b", granted=False), NOW + 1, state)
    assert state.sole == 1
    state = guard.hear(answer("pc-b", t=NOW + 2), NOW + 2, state)
    assert (state.sole, state.vote) == (0, FREE)
    state, said = guard.ask(NOW + 9, state, True)
    assert not said.sole
    assert guard.terms == {"pc-a": NOW + 20, "pc-b": NOW + 22}


def test_serving_alone_waits_for_the_own_vote_like_any_other_start() -> None:
    state, said = holder().ask(NOW, State(A1, LENT_TO_B, sole=1), False)
    assert state.vote == LENT_TO_B
    assert said.sole


def test_a_grant_of_another_ends_serving_alone_before_the_own_vote_is_back() -> None:
    state = holder().hear(answer(), NOW, State(A1, LENT_TO_B, sole=1))
    assert (state.sole, state.vote) == (0, LENT_TO_B)
