"""The merge: one table of rows."""

from __future__ import annotations

import pytest

from deployments.node.merge_text import join_tails, quote

from .merging import MARK, Tree, carry_out, plan_of

NOTE, DATA = "main/memory/2026-01-01.md", "main/memory/facts.json"
COPY = "main/memory/recovered/2026-11-24-2026-01-01.from-pc-a.md"
KEPT: Tree = {"main/MEMORY.md": b"# me\n"}  # so that no tree is empty

# id -> (base, theirs, own, the result); a path that is missing is no file.
ROWS: dict[str, tuple[Tree, Tree, Tree, Tree]] = {
    "nothing changed, nothing happens": (
        {NOTE: b"a\n"},
        {NOTE: b"a\n"},
        {NOTE: b"a\n"},
        {NOTE: b"a\n"},
    ),
    "only the serving side changed: theirs": (
        {NOTE: b"a\n"},
        {NOTE: b"b\n"},
        {NOTE: b"a\n"},
        {NOTE: b"b\n"},
    ),
    "only the returning side changed: own": (
        {NOTE: b"a\n"},
        {NOTE: b"a\n"},
        {NOTE: b"b\n"},
        {NOTE: b"b\n"},
    ),
    "both wrote the same": ({NOTE: b"a\n"}, {NOTE: b"b\n"}, {NOTE: b"b\n"}, {NOTE: b"b\n"}),
    "both appended: theirs, marker, own's tail": (
        {NOTE: b"a\n"},
        {NOTE: b"a\nB\n"},
        {NOTE: b"a\nA\n"},
        {NOTE: b"a\nB\n" + MARK + b"A\n"},
    ),
    "both appended, and theirs ends within a line": (
        {NOTE: b"a\n"},
        {NOTE: b"a\nB"},
        {NOTE: b"a\nA"},
        {NOTE: b"a\nB\n" + MARK + b"A"},
    ),
    "both appended after a change of a line: theirs, own as a copy": (
        {NOTE: b"a\n"},
        {NOTE: b"b\nB\n"},
        {NOTE: b"a\nA\n"},
        {NOTE: b"b\nB\n", COPY: b"a\nA\n"},
    ),
    "both changed the same line: theirs, own as a copy": (
        {NOTE: b"a\n"},
        {NOTE: b"b\n"},
        {NOTE: b"c\n"},
        {NOTE: b"b\n", COPY: b"c\n"},
    ),
    "a note that is new on both sides is joined": (
        {},
        {NOTE: b"B\n"},
        {NOTE: b"A\n"},
        {NOTE: b"B\n" + MARK + b"A\n"},
    ),
    "orders that are new on both sides are not joined": (
        {},
        {"main/AGENTS.md": b"B\n"},
        {"main/AGENTS.md": b"A\n"},
        {
            "main/AGENTS.md": b"B\n",
            "main/memory/recovered/2026-11-24-AGENTS.from-pc-a.md": b"A\n",
        },
    ),
    "JSON is never merged by text": (
        {DATA: b"[1]"},
        {DATA: b"[1,2]"},
        {DATA: b"[1,3]"},
        {
            DATA: b"[1,2]",
            "main/memory/recovered/2026-11-24-facts.from-pc-a.md": quote(DATA, "pc-a", b"[1,3]"),
        },
    ),
    "deleted there, changed here: own": ({NOTE: b"a\n"}, {}, {NOTE: b"b\n"}, {NOTE: b"b\n"}),
    "changed there, deleted here: theirs": ({NOTE: b"a\n"}, {NOTE: b"b\n"}, {}, {NOTE: b"b\n"}),
    "deleted there, unchanged here: deleted": ({NOTE: b"a\n"}, {}, {NOTE: b"a\n"}, {}),
    "deleted here, unchanged there: theirs": ({NOTE: b"a\n"}, {NOTE: b"a\n"}, {}, {NOTE: b"a\n"}),
    "new here only: own": ({}, {}, {NOTE: b"a\n"}, {NOTE: b"a\n"}),
    "new there only: theirs": ({}, {NOTE: b"a\n"}, {}, {NOTE: b"a\n"}),
    "own is empty: theirs": ({NOTE: b"a\n"}, {NOTE: b"a\n"}, {NOTE: b""}, {NOTE: b"a\n"}),
    "own is ruined, theirs has changed: theirs": (
        {DATA: b"[1]"},
        {DATA: b"[2]"},
        {DATA: b"[1,"},
        {DATA: b"[2]"},
    ),
    "theirs is ruined: own": ({DATA: b"[1]"}, {DATA: b"[2,"}, {DATA: b"[3]"}, {DATA: b"[3]"}),
    "their file where own has a folder": (
        {},
        {"main/memory/x": b"T\n"},
        {"main/memory/x/note.md": b"O\n"},
        {
            "main/memory/x": b"T\n",
            "main/memory/recovered/2026-11-24-x-note.from-pc-a.md": b"O\n",
        },
    ),
    "their folder where own has a file": (
        {},
        {"main/memory/x/note.md": b"T\n"},
        {"main/memory/x": b"O\n"},
        {
            "main/memory/x/note.md": b"T\n",
            "main/memory/recovered/2026-11-24-x.from-pc-a.md": quote(
                "main/memory/x", "pc-a", b"O\n"
            ),
        },
    ),
    "a copy of that name and another content is kept": (
        {NOTE: b"a\n"},
        {NOTE: b"b\n", COPY: b"older\n"},
        {NOTE: b"c\n", COPY: b"older\n"},
        {NOTE: b"b\n", COPY: b"older\n", COPY.replace(".from", "-2.from"): b"c\n"},
    ),
    "a copy of an earlier day is found again": (
        {NOTE: b"a\n"},
        {NOTE: b"b\n"},
        {NOTE: b"c\n", COPY.replace("11-24", "11-23"): b"c\n"},
        {NOTE: b"b\n", COPY.replace("11-24", "11-23"): b"c\n"},
    ),
}


@pytest.mark.parametrize(("base", "theirs", "own", "result"), ROWS.values(), ids=ROWS)
def test_row(base: Tree, theirs: Tree, own: Tree, result: Tree) -> None:
    base, theirs, own, result = ({**tree, **KEPT} for tree in (base, theirs, own, result))
    plan = plan_of(base, theirs, own)
    assert carry_out(plan, theirs, own) == result
    assert carry_out(plan_of(base, theirs, result), theirs, result) == result  # again: the same


def test_what_is_no_markdown_is_quoted_in_a_note_and_goes_aside_as_it_was() -> None:
    plan = plan_of({DATA: b"[1]"}, {DATA: b"[2]"}, {DATA: b"[3]"})
    copy = plan.conflicts[DATA]
    assert copy.startswith("main/memory/recovered/") and copy.endswith("-facts.from-pc-a.md")
    assert plan.write[copy].splitlines()[-3:] == [b"```", b"[3]", b"```"]
    assert plan.aside == {DATA: b"[3]"}


def test_what_is_no_text_goes_aside_only_and_is_named() -> None:
    path = "main/memory/picture.png"
    plan = plan_of({path: b"\x89a"}, {path: b"\x89b"}, {path: b"\x89c"})
    assert plan.aside == {path: b"\x89c"} and plan.conflicts == {path: ""}


def test_a_quotation_survives_whatever_fences_are_in_it() -> None:
    text = b"a\n```\n````\nb"
    note = quote("main/memory/x.yaml", "pc-a", text)
    assert note.split(b"`````\n")[1] == text + b"\n"


def test_a_joined_note_that_grew_at_the_serving_side_is_joined_without_a_second_marker() -> None:
    base, theirs = b"a\n", b"a\nB\n"
    joined = join_tails(base, theirs, b"a\nA\n", MARK)
    assert joined
    grown = theirs + b"B2\n"
    for now in (base, theirs):  # whichever of the two is known as the base
        assert join_tails(now, grown, joined, MARK) == grown + MARK + b"A\n"


def test_a_copy_of_a_very_long_name_fits_a_file_system() -> None:
    name = "main/memory/" + "ä" * 125 + ".md"
    plan = plan_of({name: b"a\n"}, {name: b"b\n"}, {name: b"c\n"})
    (copy,) = plan.write
    assert len(copy.rpartition("/")[2].encode()) <= 255
