"""What counts as ruined: each with line, column and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.node.validate import LARGEST_PARSED, check_file, find_problem

# id -> (name, content, (line, column, a word of what was expected) or None)
ROWS: dict[str, tuple[str, bytes, tuple[int, int, str] | None]] = {
    "a note": ("memory/2026-01-01.md", b"# a\nnote\n", None),
    "a file of a workspace": ("MEMORY.md", "Ünïcode\n".encode(), None),
    "an empty file": ("MEMORY.md", b"", (1, 1, "at least one byte")),
    "a NUL byte": ("memory/a.md", b"ab\ncd\0ef", (2, 3, "NUL")),
    "bytes that are not UTF-8": ("memory/a.md", b"ab\n\xff", (2, 1, "UTF-8")),
    "half a JSON": ("memory/a.json", b'{"a": 1,\n "b"', (2, 5, "JSON")),
    "JSON with a comment": ("memory/a.json", b"{} // no", (1, 4, "JSON")),
    "JSON5 with a comment and a trailing comma": ("openclaw.json", b"{a: [1,], /* ok */}", None),
    "half a JSON5": ("memory/a.json5", b"{a: [1,", (1, 8, "JSON5")),
    "JSON lines": ("memory/a.jsonl", b'{"a":1}\n\n{"a":2}\n', None),
    "half a last JSON line": ("memory/a.jsonl", b'{"a":1}\n{"a', (2, 2, "one JSON value a line")),
    "YAML": ("memory/a.yaml", b"a: 1\n---\nb: [1, 2]\n", None),
    "a tab in YAML": ("memory/a.yml", b"a: 1\n\tb: 2\n", (2, 1, "YAML")),
    "front matter": ("memory/a.md", b"---\ntitle: x\n---\ntext\n", None),
    "ruined front matter": ("memory/a.md", b"---\ntitle: [x\n---\ntext\n", (3, 1, "front matter")),
    "a ruler above plain text": ("memory/a.md", b"---\nwe met: [Bob\n---\n", None),
    "a day that does not exist": ("memory/2026-02-30.md", b"x\n", (1, 1, "real date")),
    "a day with a slug": ("memory/deep/2026-02-28-walk.md", b"x\n", None),
    "a date that is no note's": ("notes/2026-02-30.md", b"x\n", None),
    "brackets without an end": ("memory/a.json", b"[" * 100_000, (1, 1, "fewer levels")),
    "a number of many digits": ("memory/a.json", b"1" * 6000, (1, 1, "JSON")),
    "a name with a newline": ("memory/2026-02-30\n.md", b"x", (1, 1, "real date")),
}


@pytest.mark.parametrize(("name", "content", "wrong"), ROWS.values(), ids=ROWS)
def test_row(name: str, content: bytes, wrong: tuple[int, int, str] | None) -> None:
    found = find_problem(f"main/{name}", content)
    if wrong is None:
        assert found is None
    else:
        assert found and (found.line, found.column) == wrong[:2] and wrong[2] in found.expected


def test_yaml_without_an_end_is_a_problem_and_no_crash() -> None:
    assert find_problem("main/memory/a.yaml", b"[" * 5_000)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["md", "json", "json5", "jsonl", "yaml", "yml", "txt", "\udcff"]),
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
)
def test_no_bytes_crash_it(suffix: str, content: bytes) -> None:
    found = find_problem(f"main/memory/x.{suffix}", content)
    assert found is None or (found.line >= 1 and found.column >= 1 and str(found))


@pytest.mark.parametrize("ruin", [b"\0", b"\xff"], ids=["NUL", "not UTF-8"])
def test_a_huge_file_is_checked_in_pieces(tmp_path: Path, ruin: bytes) -> None:
    file = tmp_path / "huge.md"
    file.write_bytes(b"line\n" * (LARGEST_PARSED // 5 + 1))
    assert check_file("main/memory/huge.md", file) is None
    with open(file, "ab") as stream:
        stream.write(ruin + b"end\n")
    assert check_file("main/memory/huge.md", file)
