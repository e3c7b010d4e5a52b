"""T440's voter starts a health check: when, how often, and whatever Prefect answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.node.messages import Ask, Heard, Record, State
from deployments.node.trigger import (
    BETWEEN_SECONDS,
    Told,
    is_due,
    note,
)

from .term_cases import A1, B2, NOW, TIMING

OTHER = Ask("pc-b", "boot", 50.0, A1, False, False, None)
HOLDER = Ask("pc-a", "boot", 50.0, A1, True, True, None)


def state(record: Record | None = A1, served_ago: float | None = None) -> State:
    """T440's, when pc-a last said so long ago that it serves."""
    served = None if served_ago is None else NOW - served_ago
    return State(record, heard={"pc-a": Heard(NOW - 1, served, record, None)})


# sentence -> (the ask, T440's state, whether it shows that the holder is lost)
ASKS = {
    "the other asks, and the holder was heard 13.9 s ago": (OTHER, state(served_ago=13.9), False),
    "the other asks, and nobody has heard the holder for 14 s": (
        OTHER, state(served_ago=14.0), True,
    ),
    "the other asks, and has heard the holder itself": (
        OTHER._replace(heard_s=2.0), state(served_ago=60.0), False,
    ),
    "the other asks, and has not heard the holder either": (
        OTHER._replace(heard_s=30.0), state(served_ago=60.0), True,
    ),
    "the holder has never said that it serves, and T440 is up for long": (OTHER, state(), True),
    "nobody is known to this machine but the one that asks": (OTHER, State(A1), True),
    "the holder itself asks, and is well": (HOLDER, state(served_ago=0.0), False),
    "the holder itself asks, and waits for its term": (
        HOLDER._replace(serving=False), state(served_ago=60.0), False,
    ),
    "the holder says that its gateway stayed unwell": (
        HOLDER._replace(unwell=True), state(served_ago=0.0), True,
    ),
    "a node that is not the holder says so": (
        OTHER._replace(unwell=True), state(served_ago=0.0), False,
    ),
    "there is no record": (OTHER, State(None), False),
    "the record names the one that asks": (OTHER._replace(sender="pc-b"), state(B2), False),
}  # fmt: skip


@pytest.mark.parametrize(("ask", "known", "due"), ASKS.values(), ids=ASKS)
def test_a_check_is_due_when(ask: Ask, known: State, due: bool) -> None:
    assert is_due(ask, known, NOW, TIMING) is due


def test_right_after_a_boot_of_t440_ages_start_at_the_boot() -> None:
    assert not is_due(OTHER, State(A1), 13.9, TIMING)
    assert is_due(OTHER, State(A1), 14.0, TIMING)


def test_one_silence_starts_one_check_and_the_next_silence_another() -> None:
    told, starts = note(Told(), "pc-b", 1, True, NOW)
    assert starts
    assert note(told, "pc-b", 1, True, NOW + 60) == (told, False)
    told, starts = note(told, "pc-b", 1, False, NOW + 61)
    assert (told.epochs, starts) == ({}, False)
    assert note(told, "pc-b", 1, True, NOW + 80)[1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["pc-a", "pc-b"]), st.integers(1, 3), st.booleans(),
                  st.floats(0.1, 5.0)),
        max_size=60,
    )
)  # fmt: skip
def test_whatever_is_asked_two_checks_are_never_started_within_10_s(
    asks: list[tuple[str, int, bool, float]],
) -> None:
    told, now, begun = Told(), NOW, list[float]()
    for sender, epoch, due, later in asks:
        now += later
        told, starts = note(told, sender, epoch, due, now)
        assert due or not starts
        begun += [now] if starts else []
    assert all(b - a >= BETWEEN_SECONDS for a, b in pairwise(begun))
