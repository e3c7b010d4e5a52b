"""Fields that a site demands of its memory files: which files, and what they lack."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.node.config import parse_config
from deployments.node.errors import BadInput
from deployments.node.fields import wanted_fields
from deployments.node.validate import check_tree, find_problem

DEMANDS = {"memory/people/*.yaml": ["name"], "memory/**": ["id"], "USER.md": ["name", "lang"]}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("USER.md", ["name", "lang"]),
        ("MEMORY.md", []),
        ("memory/a.json", ["id"]),
        ("memory/people/ann.yaml", ["name", "id"]),
    ],
)
def test_the_fields_of_every_pattern_that_fits_are_wanted(path: str, fields: list[str]) -> None:
    assert wanted_fields(path, DEMANDS) == fields


# id -> (name, content, (line, what is missing) or None)
ROWS: dict[str, tuple[str, bytes, tuple[int, str] | None]] = {
    "JSON with both": ("a.json", b'{"id": 1, "name": null, "more": 2}', None),
    "JSON without one": ("a.json", b'{"id": 1}', (1, "no name")),
    "JSON without any": ("a.json", b"{}", (1, "no id, name")),
    "JSON that is no mapping": ("a.json", b"[1]", (1, "no id, name")),
    "JSON5": ("a.json5", b"{id: 1, name: 'x',}", None),
    "JSON lines": ("a.jsonl", b'{"id": 1, "name": 2}\n\n{"id": 3, "name": 4}\n', None),
    "the third JSON line": ("a.jsonl", b'{"id": 1, "name": 2}\n\n{"id": 3}\n', (3, "no name")),
    "YAML": ("a.yaml", b"id: 1\nname: x\n", None),
    "YAML without one": ("a.yml", b"name: x\n", (1, "no id")),
    "YAML with a tag that nobody knows": (
        "a.yml",
        b"id: !python/x 1\nname: x\n",
        (1, "no id, name"),
    ),
    "front matter": ("a.md", b"---\nid: 1\nname: x\n---\ntext\n", None),
    "Markdown without front matter": ("a.md", b"# id and name\n", (1, "no id, name")),
}


@pytest.mark.parametrize(("name", "content", "wrong"), ROWS.values(), ids=ROWS)
def test_row(name: str, content: bytes, wrong: tuple[int, str] | None) -> None:
    found = find_problem(f"main/memory/{name}", content, ["id", "name"])
    assert (found and (found.line, found.message)) == wrong
    assert found is None or found.expected == "the fields id, name"


@given(st.sampled_from(["md", "json", "json5", "jsonl", "yaml", "txt"]), st.binary(max_size=100))
def test_whatever_the_bytes_are_it_never_raises(suffix: str, content: bytes) -> None:
    find_problem(f"main/memory/x.{suffix}", content, ["id"])


def test_the_first_folder_of_a_tree_is_the_workspace(tmp_path: Path) -> None:
    file = tmp_path / "main/memory/people/ann.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("name: Ann\n")
    (tmp_path / "main/MEMORY.md").write_text("# nothing is wanted here\n")
    (found,) = check_tree(tmp_path, DEMANDS).items()
    assert found[0] == "main/memory/people/ann.yaml"
    assert str(found[1]) == "line 1, column 1: no id; expected the fields name, id"


def test_what_is_no_list_of_names_is_refused_in_node_json(tmp_path: Path) -> None:
    own = {"name": "pc-b", "home": str(tmp_path), "state": "s", "run": "r"}
    parsed = parse_config({**own, "required_fields": {"USER.md": ["name"]}}, "node.json")
    assert parsed.required_fields == {"USER.md": ("name",)}
    with pytest.raises(BadInput, match=r"required_fields: USER\.md must have a list of names"):
        parse_config({**own, "required_fields": {"USER.md": "name"}}, "node.json")
