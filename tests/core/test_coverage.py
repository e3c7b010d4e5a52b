"""Whose memory is carried, as runs and the status say it."""

from __future__ import annotations

import pytest

from tasks.core.coverage import covered


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        pytest.param({"main": 12, "work": 1}, "main 12 files, work 1 file", id="two agents"),
        pytest.param(
            {"main": 12, "notes": 0, "work": 0},
            "main 12 files; none of notes and work",
            id="a workspace without memory is named",
        ),
        pytest.param({"main": 0}, "none of main", id="no memory at all"),
        pytest.param({}, "no agent", id="no agent at all"),
    ],
)
def test_it_names_every_agent(counts: dict[str, int], said: str) -> None:
    assert covered({name: {"files": files} for name, files in counts.items()}) == said
