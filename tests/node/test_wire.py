"""Asks and answers as lines: what is sent is what is read; anything else is refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deployments.node.messages import Answer, Ask, Record
from deployments.node.wire import answer_line, ask_line, parse_answer, parse_ask

NAMES = some.text(min_size=1, max_size=20)
SECONDS = some.floats(min_value=0, max_value=1e12)
RECORDS = some.none() | some.builds(Record, some.integers(1, 10**9), NAMES)
FLAGS = some.booleans()
ASK = Ask("pc-a", "b1", 12.5, Record(3, "pc-a"), True, False, None)
GOOD: dict[str, Any] = json.loads(ask_line(ASK))


@given(some.builds(Ask, NAMES, NAMES, SECONDS, RECORDS, FLAGS, FLAGS, some.none() | SECONDS, FLAGS))
def test_an_ask_is_read_as_it_was_sent(ask: Ask) -> None:
    assert parse_ask(ask_line(ask)) == ask


@given(some.builds(Answer, NAMES, NAMES, SECONDS, RECORDS, FLAGS, FLAGS, FLAGS))
def test_an_answer_is_read_as_it_was_sent(answer: Answer) -> None:
    assert parse_answer(answer_line(answer)) == answer


def test_an_ask_looks_like_this() -> None:
    assert ask_line(ASK) == (
        '{"v":1,"from":"pc-a","epoch":3,"holder":"pc-a","boot_id":"b1","t":12.5,'
        '"want":true,"serving":false,"heard_s":null,"sole":false,"unwell":false}'
    )


BAD = {
    "another version": ({"v": 2}, "not an object of version 1"),
    "a field too many": ({"more": 1}, "fields that differ: ['more']"),
    "a flag that is a number": ({"serving": 0}, "serving 0 is not right"),
    "an epoch that is a flag": ({"epoch": True}, "epoch True is not right"),
    "an epoch below 0": ({"epoch": -1}, "epoch -1 is not right"),
    "an epoch without a holder": ({"holder": ""}, "an epoch and a holder come together"),
    "a holder without an epoch": ({"epoch": 0}, "an epoch and a holder come together"),
    "a clock that is no number": ({"t": float("nan")}, "t nan is not right"),
    "a clock without end": ({"t": float("inf")}, "t inf is not right"),
    "an age below 0": ({"heard_s": -1}, "heard_s -1 is not right"),
    "a nameless sender": ({"from": ""}, "from '' is not right"),
    "a sender that is a list": ({"from": ["pc-a"]}, "from ['pc-a'] is not right"),
    "a line too long": ({"from": "x" * 2000}, "a line of "),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD)
def test_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_ask(json.dumps({**GOOD, **change}))
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("line", ["", "[]", "null", "{", "1" * 1000, "[" * 1000])
def test_what_is_no_ask_at_all_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse_ask(line)


@given(some.text(max_size=200))
def test_no_text_does_anything_but_parse_or_be_refused(line: str) -> None:
    try:
        parse_answer(line)
    except ValueError:
        return
