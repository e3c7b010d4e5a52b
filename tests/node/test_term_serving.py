"""How a guard serves, drains, stops and kills, look by look."""

from __future__ import annotations

import pytest

from deployments.node.messages import Answer, State
from deployments.node.term import Action, Holder

from .term_cases import A1, A3, B2, NOW, answer, holder


def serving(t: float = NOW) -> Holder:
    """A holder whose gateway it has started under a term asked for at `t`."""
    guard = holder()
    guard.hear(answer(t=t), t, State(A1))
    assert guard.look(t, State(A1), False) is Action.START
    return guard


def looks(guard: Holder, state: State, *times: float) -> list[Action]:
    return [guard.look(time, state, True) for time in times]


def test_holder_5_serves_until_the_margin_then_stops_and_kills_before_the_end() -> None:
    seen = looks(serving(), State(A1), *(NOW + s for s in (12.9, 13.0, 13.5, 17.9, 18.0, 19.0)))
    nothing, stop, kill = Action.NOTHING, Action.STOP, Action.KILL
    assert seen == [nothing, stop, nothing, nothing, kill, kill]


def test_holder_5_kills_before_the_end_of_the_term_though_the_budget_is_not_used_up() -> None:
    times = (NOW + 16.0, NOW + 18.4, NOW + 18.5)
    assert looks(serving(), State(A1), *times) == [Action.STOP, Action.NOTHING, Action.KILL]


@pytest.mark.parametrize("late", [18.5, 20.0, 500.0], ids=["nearly over", "just over", "long over"])
def test_holder_5_kills_at_once_after_standing_still(late: float) -> None:
    assert looks(serving(), State(A1), NOW + late) == [Action.KILL]


def test_holder_5_a_thawed_guard_that_reads_a_newer_grant_first_serves_on() -> None:
    guard = serving()
    guard.hear(answer(t=NOW + 8), NOW + 13.2, State(A1))
    assert looks(guard, State(A1), NOW + 13.2) == [Action.NOTHING]


def test_holder_5_a_higher_record_stops_it_within_the_kill_budget() -> None:
    times = (NOW + 1, NOW + 5.9, NOW + 6)
    assert looks(serving(), State(B2), *times) == [Action.STOP, Action.NOTHING, Action.KILL]


def test_holder_5_serve_until_bounds_a_stop_by_a_higher_record_too() -> None:
    times = (NOW + 14.0, NOW + 18.5)
    assert looks(serving(), State(B2), *times) == [Action.STOP, Action.KILL]


def test_holder_1_a_node_that_is_not_named_stops_whatever_a_voter_grants() -> None:
    guard = serving()
    guard.hear(answer(record=B2), NOW, State(B2))
    assert looks(guard, State(B2), NOW) == [Action.STOP]


def test_holder_5_a_stop_once_begun_is_ended_though_a_term_comes_meanwhile() -> None:
    guard = serving()
    assert looks(guard, State(A1), NOW + 13) == [Action.STOP]
    guard.hear(answer(t=NOW + 13), NOW + 13, State(A1))
    assert looks(guard, State(A1), NOW + 14, NOW + 18) == [Action.NOTHING, Action.KILL]
    assert guard.look(NOW + 18.1, State(A1), False) is Action.START


def test_holder_5_a_starting_guard_kills_any_gateway_it_finds() -> None:
    guard = holder()
    guard.hear(answer(), NOW, State(A1))
    assert looks(guard, State(A1), NOW, NOW + 1) == [Action.KILL, Action.KILL]
    assert guard.look(NOW + 2, State(A1), False) is Action.START


def test_a_gateway_started_by_hand_with_no_term_is_killed() -> None:
    guard = holder()
    guard.look(NOW, State(A1), False)
    assert looks(guard, State(A1), NOW) == [Action.KILL]


def test_a_drain_ends_the_work_once_while_the_term_goes_on() -> None:
    guard = serving()
    guard.hear(answer(drain=True, t=NOW + 1), NOW + 1, State(A1))
    third = [Action.DRAIN, Action.NOTHING, Action.NOTHING]
    assert looks(guard, State(A1), NOW + 1, NOW + 11, NOW + 12) == third
    assert guard.ask(NOW + 12, State(A1), True)[1].want
    assert guard.look(NOW + 12, State(A1), False) is Action.NOTHING


def test_the_next_gateway_can_be_drained_and_stopped_like_the_first() -> None:
    guard = serving()
    guard.hear(answer(drain=True, t=NOW), NOW, State(A1))
    assert looks(guard, State(A1), NOW) == [Action.DRAIN]
    assert looks(guard, State(B2), NOW + 1) == [Action.STOP]
    assert guard.look(NOW + 2, State(B2), False) is Action.NOTHING
    guard.hear(answer(record=A3, t=NOW + 3), NOW + 3, State(A3))
    assert guard.look(NOW + 3, State(A3), False) is Action.START
    guard.hear(answer(record=A3, drain=True, t=NOW + 4), NOW + 4, State(A3))
    assert looks(guard, State(A3), NOW + 4, NOW + 17) == [Action.DRAIN, Action.STOP]


LAPSES = {
    "15 s after the last answer that said so": ([], 16.0),
    "at once with a newer answer of the same voter": ([answer(granted=False, t=NOW + 2)], 3.0),
    "with a change of the record": ([answer("pc-b", A3, granted=False, t=NOW + 2)], 3.0),
}


@pytest.mark.parametrize(("told", "after"), LAPSES.values(), ids=LAPSES)
def test_a_drain_lapses(told: list[Answer], after: float) -> None:
    guard = holder()
    state = guard.hear(answer(drain=True, t=NOW + 1), NOW + 1, State(A1))
    assert guard.term_file(NOW + 15.9).drained
    for newer in told:
        state = guard.hear(newer, NOW + 2, state)
    assert not guard.term_file(NOW + after).drained


STANDS = {
    "by an older answer of the same voter": answer(t=NOW),
    "by an older answer that says drain": answer(drain=True, t=NOW - 14),
    "by the other node, which knows of no drain": answer("pc-b", t=NOW + 2),
}


@pytest.mark.parametrize("told", STANDS.values(), ids=STANDS)
def test_a_drain_is_not_ended(told: Answer) -> None:
    guard = holder()
    state = guard.hear(answer(drain=True, t=NOW + 1), NOW + 1, State(A1))
    guard.hear(told, NOW + 2, state)
    assert guard.term_file(NOW + 3).drained


def test_a_drain_of_another_record_is_not_taken() -> None:
    guard = holder()
    guard.hear(answer(drain=True, granted=False, record=A1), NOW, State(A3))
    assert not guard.term_file(NOW).drained
