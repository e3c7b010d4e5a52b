"""In which settings two nodes differ, in words."""

from __future__ import annotations

import pytest

from tasks.core.drift import differences


@pytest.mark.parametrize(
    ("mine", "theirs", "lines"),
    [
        pytest.param({"a": "1"}, {"a": "1"}, [], id="the same"),
        pytest.param({}, {}, [], id="nothing at all"),
        pytest.param(
            {"model": "big"},
            {"model": "small"},
            ["model: pc-a has big, pc-b has small"],
            id="value",
        ),
        pytest.param({"b": "1"}, {}, ["b: pc-a has it, pc-b does not"], id="only on the first"),
        pytest.param({}, {"b": "1"}, ["b: pc-b has it, pc-a does not"], id="only on the second"),
        pytest.param(
            {"t": "secret 12"},
            {"t": "secret 34"},
            ["t: not the same on pc-a and pc-b"],
            id="secret",
        ),
        pytest.param(
            {"t": "secret 12"}, {"t": "x"}, ["t: not the same on pc-a and pc-b"], id="half a secret"
        ),
        pytest.param(
            {"b": "1", "a": "1"},
            {"b": "2", "a": "2"},
            ["a: pc-a has 1, pc-b has 2", "b: pc-a has 1, pc-b has 2"],
            id="sorted by the setting",
        ),
    ],
)
def test_row(mine: dict[str, str], theirs: dict[str, str], lines: list[str]) -> None:
    assert differences("pc-a", mine, "pc-b", theirs) == lines
