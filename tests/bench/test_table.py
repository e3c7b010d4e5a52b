"""Medians, verdicts and the document, from samples to Markdown."""

from __future__ import annotations

import math

import pytest

from tests.bench.cpu import role_of
from tests.bench.document import make_document
from tests.bench.table import Goal, Group, Row, one_more, ratios, render

LATE = tuple([0.2] * 99 + [1.7])


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        pytest.param(
            Row("a check", (0.4, 0.3, 0.2), goal=Goal(0.35)),
            ("a check", "0.30 s", "0.20 s", "0.40 s", "3", "<= 0.35 s", "yes"),
            id="the median keeps the goal, the maximum does not",
        ),
        pytest.param(
            Row("a node", (0.0104, 0.0111), "ms", Goal(0.010)),
            ("a node", "10.8 ms", "10.4 ms", "11.1 ms", "2", "<= 10.0 ms", "no"),
            id="a goal that is missed is told",
        ),
        pytest.param(
            Row("lateness", LATE, "ms", Goal(1.0, share=0.99)),
            (
                *("lateness", "200.0 ms", "200.0 ms", "1700.0 ms", "100"),
                *("<= 1000.0 ms in 99 of 100", "yes: 99 of 100"),
            ),
            id="one run of a hundred may be late",
        ),
        pytest.param(
            Row("lateness", (*LATE, 1.1), "s", Goal(1.0, share=0.99)),
            (
                *("lateness", "0.20 s", "0.20 s", "1.70 s", "101"),
                *("<= 1.00 s in 99 of 100", "no: 99 of 101"),
            ),
            id="two of a hundred and one may not",
        ),
        pytest.param(
            Row("of a core", (0.0391,), "%"),
            ("of a core", "3.9 %", "3.9 %", "3.9 %", "1", "", ""),
            id="without a goal there is no verdict",
        ),
    ],
)
def test_a_row_says_what_was_measured(row: Row, cells: tuple[str, ...]) -> None:
    assert row.cells() == cells


def test_one_more_is_what_a_span_costs_beyond_the_median_without_it() -> None:
    found = one_more(busy=(9.0, 3.0, 1.0), idle=(1.0, 2.0, 50.0), count=7)
    assert found == pytest.approx((1.0, 1 / 7, -1 / 7))


def test_a_ratio_is_to_the_median_of_the_others() -> None:
    assert ratios((1.0, 2.0), (4.0, 1.0, 5.0)) == (0.25, 0.5)
    assert all(map(math.isnan, ratios((1.0,), (0.0,))))


def test_the_groups_are_one_table() -> None:
    lines = render([Group("one", (Row("x", (1.0,)),)), Group("two", ())]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines] == [
        "what",
        "---",
        "**one**",
        "x",
        "**two**",
    ]


def test_the_document_names_the_command_that_made_it() -> None:
    text = make_document(5, {"Machine": "a box"}, "| table |\n")
    assert "`make bench`" in text and "- Machine: a box" in text and "| table |\n" in text
    assert "`make bench BENCH='--times 9'`" in make_document(9, {}, "")


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python -m deployments.server --port 4200", "server"),
        ("python -c keeper python -m deployments.worker --pool watch", "worker"),
        ("python -c keeper prefect worker start --pool data", "worker of copies"),
        ("sshd: sshd -D -f sshd_config [listener]", "ssh"),
        ("python -c keeper python joe.pyz guard", "other"),
    ],
)
def test_each_program_of_a_machine_has_a_role(command: str, role: str) -> None:
    assert role_of(command) == role
