"""The sentences about rot."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.rot import fault_line, fault_name, rot_text


def fault(path: str, snapshots: int, kind: str = "file") -> dict[str, Any]:
    ids = [f"id{number}" for number in range(snapshots)]
    return {"kind": kind, "path": path, "snapshots": ids, "why": "is missing"}


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (fault("a.txt", 1), "a.txt in 1 snapshot is missing"),
        (fault("sub/b.txt", 3), "sub/b.txt in 3 snapshots is missing"),
        (fault("about.json", 1, "about"), "about.json of id0 is missing"),
        (fault("new\nline\udcff\x1b[2J", 2), "new?line??[2J in 2 snapshots is missing"),
    ],
    ids=[
        "one snapshot",
        "several snapshots",
        "a document",
        "no control code, no newline, no half a character",
    ],
)
def test_a_fault_is_a_line_that_can_be_shown(found: dict[str, Any], line: str) -> None:
    assert fault_line(found) == line


def test_a_file_is_the_same_fault_when_snapshots_are_pruned() -> None:
    assert fault_name(fault("a.txt", 3)) == fault_name(fault("a.txt", 2))
    assert fault_name(fault("manifest.json", 1, "manifest")) == "manifest.json of id0"


@pytest.mark.parametrize(
    ("healed", "left", "count", "text"),
    [
        (["a is bad"], [], 0, "Files in S: 1 rotted and healed: a is bad"),
        ([], ["b"], 1, "Files in S: 1 rotten and good nowhere that could be reached: b"),
        (
            ["a"],
            ["b", "c"],
            2,
            "Files in S: 1 rotted and healed: a. 2 rotten and good nowhere that could be reached:"
            " b; c",
        ),
        (
            list("abcdefg"),
            [],
            0,
            "Files in S: 7 rotted and healed: a; b; c; d; e; and 2 more",
        ),
        (
            [],
            ["x"] * 500,
            900,
            "Files in S: 900 rotten and good nowhere that could be reached: x; x; x; x; x;"
            " and 895 more",
        ),
    ],
    ids=["healed", "left", "both", "five are named", "more than were listed"],
)
def test_one_sentence_says_what_was_healed_and_what_was_not(
    healed: list[str], left: list[str], count: int, text: str
) -> None:
    assert rot_text("S", healed, left, count) == text
