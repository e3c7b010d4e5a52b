"""What is refused as a loss: one table, each row a story."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.node.refuse import Limits, Verdict, judge

Files = dict[str, dict[str, Any]]
REQUIRED = ("MEMORY.md", "SOUL.md")
MEMORY, BACKUP = Limits(memory=True, required=REQUIRED), Limits(memory=False)


def files(count: int, size: int = 100, mark: str = "x") -> Files:
    return {
        f"main/memory/{number:02}.md": {"sha256": f"{mark}{number}", "size": size}
        for number in range(count)
    }


def one(path: str, size: int, mark: str = "y") -> Files:
    return {path: {"sha256": mark, "size": size}}


BASE = {**files(20), **one("main/MEMORY.md", 1000), **one("main/SOUL.md", 100)}
# id -> (base, new, limits, words of the reason; "" when it is published)
ROWS: dict[str, tuple[Files, Files, Limits, str]] = {
    "the first content of all": ({}, files(3), MEMORY, ""),
    "nothing changed": (BASE, BASE, MEMORY, ""),
    "one file is new and one is gone": (
        BASE,
        {
            **{p: e for p, e in BASE.items() if p != "main/memory/03.md"},
            **one("main/memory/n.md", 9),
        },
        MEMORY,
        "",
    ),
    "emptied source": (BASE, {}, MEMORY, "all 22 files are gone"),
    "six of twenty-two files are gone": (
        BASE,
        {p: e for p, e in BASE.items() if p > "main/memory/05.md" or "/memory/" not in p},
        MEMORY,
        "6 of 22 files are gone",
    ),
    "five of twenty-two files are gone": (
        BASE,
        {p: e for p, e in BASE.items() if p > "main/memory/04.md" or "/memory/" not in p},
        MEMORY,
        "",
    ),
    "a required file is gone": (
        BASE,
        {p: e for p, e in BASE.items() if not p.endswith("SOUL.md")},
        MEMORY,
        "required file is gone: main/SOUL.md",
    ),
    "all of one agent is gone": (
        {**BASE, **one("work/USER.md", 10)},
        BASE,
        MEMORY,
        "all files of agent work are gone",
    ),
    "MEMORY.md shrank to a fifth": (
        BASE,
        {**BASE, **one("main/MEMORY.md", 200)},
        MEMORY,
        "main/MEMORY.md shrank from 1000 to 200 bytes",
    ),
    "all together shrank by more than half": (
        files(12),
        files(12, size=40, mark="z"),
        BACKUP,
        "shrank from 1200 to 480 bytes",
    ),
    "sixty per cent were rewritten at once": (
        files(20),
        {**files(20), **files(12, mark="z")},
        MEMORY,
        "12 of 20 files were rewritten",
    ),
    "templates over everything, valid and not smaller": (
        files(8),
        files(8, size=120, mark="template"),
        MEMORY,
        "8 of 8 files were rewritten",
    ),
    "two of three files of a young workspace changed": (
        files(3),
        {**files(3), **files(2, mark="z")},
        MEMORY,
        "",
    ),
    "half of a container's files were emptied": (
        files(20, size=100),
        {**files(20), **files(8, size=0, mark="0")},
        BACKUP,
        "8 of 20 files are gone or empty",
    ),
}


def judge_plain(base: Files, new: Files, limits: Limits, **more: Any) -> Verdict:
    given: dict[str, Any] = {"bad": {}, "base_bad": (), "known_bad": (), "grown": ()}
    return judge(base, new, limits=limits, **{**given, **more})


@pytest.mark.parametrize(("base", "new", "limits", "reason"), ROWS.values(), ids=ROWS)
def test_row(base: Files, new: Files, limits: Limits, reason: str) -> None:
    reasons = judge_plain(base, new, limits).reasons
    assert reason in "; ".join(reasons) if reason else not reasons


def test_notes_that_only_grew_were_not_rewritten() -> None:
    new = files(20, size=150, mark="z")
    assert not judge_plain(files(20), new, MEMORY, grown=set(new)).reasons


def test_a_good_file_that_is_ruined_now_is_refused_and_named() -> None:
    verdict = judge_plain(BASE, BASE, MEMORY, bad={"main/memory/03.md": "line 1: empty"})
    assert verdict.reasons == ("main/memory/03.md was good and is ruined now: line 1: empty",)


def test_a_ruin_that_was_refused_before_is_held_and_blocks_nothing() -> None:
    path = "main/memory/03.md"
    verdict = judge_plain(BASE, BASE, MEMORY, bad={path: "empty"}, known_bad={path})
    assert not verdict.reasons and verdict.held == {path: "empty"}


def test_many_ruins_stay_refused_however_often_they_are_seen() -> None:
    bad = {f"main/memory/{number:02}.md": "not UTF-8" for number in range(6)}
    verdict = judge_plain(BASE, BASE, MEMORY, bad=bad, known_bad=set(bad))
    assert "6 of 22 files are ruined" in verdict.reasons[0]


def test_a_held_file_counts_with_its_good_size() -> None:
    new = {**BASE, **one("main/MEMORY.md", 0)}
    bad = {"main/MEMORY.md": "empty"}
    assert not judge_plain(BASE, new, MEMORY, bad=bad, known_bad=set(bad)).reasons


@pytest.mark.parametrize("base", [{}, one("main/memory/03.md", 1)], ids=["new", "bad before"])
def test_a_bad_file_without_a_good_version_is_kept_as_it_came(base: Files) -> None:
    path = "main/memory/03.md"
    new = {**one(path, 5), **one("main/memory/b.md", 5)}
    verdict = judge_plain(base, new, MEMORY, bad={path: "NUL"}, base_bad={path})
    assert not verdict.reasons and not verdict.held and verdict.kept_bad == {path: "NUL"}
