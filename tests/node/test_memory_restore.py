"""Files of a memory snapshot come back, live or beside, and what was there is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import BadInput, Failed, Refused

from .loopback import Node, read_tree

Pair = tuple[Node, Node]


@pytest.fixture
def holder(synced: Pair) -> Node:
    """pc-b has a snapshot of pc-a's memory and is the holder now; no gateway runs."""
    a, b = synced
    b.take_in(a)
    file = b.config.state / "record.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"epoch": 2, "holder": b.name}))
    return b


def restore(node: Node, **more: Any) -> dict[str, Any]:
    """From the newest snapshot."""
    current = node.call("store list")["stores"]["memory"]["current"]
    return node.call("memory restore", **{"snapshot": current, **more})


def test_a_dry_run_shows_the_diff_and_changes_nothing(holder: Node) -> None:
    holder.write("memory/2026-01-01.md", "another text\n")
    before = holder.memory()
    told = restore(holder, dry_run=True)
    assert (told["changed"], told["own"]) == (1, None)
    (change,) = told["changes"]
    assert change["path"] == "main/memory/2026-01-01.md"
    assert "-another text" in change["diff"] and "+note of day 1" in change["diff"]
    assert holder.memory() == before


def test_what_was_there_is_preserved_and_what_is_newer_stays(holder: Node) -> None:
    holder.write("memory/2026-01-01.md", "another text\n")
    holder.write("memory/newer.md", "newer\n")
    told = restore(holder)
    assert told["changed"] == 1 and told["same"] == told["files"] - 1 and told["refused"] == []
    assert holder.memory()["memory/2026-01-01.md"] == b"note of day 1\n"
    assert holder.memory()["memory/newer.md"] == b"newer\n"
    kept = read_tree(holder.config.stores / "memory/snaps" / told["own"] / "tree/main")
    assert kept["memory/2026-01-01.md"] == b"another text\n"
    assert restore(holder)["changed"] == 0


def test_only_the_file_that_is_named_comes_back(holder: Node) -> None:
    for name in ("memory/2026-01-01.md", "memory/2026-01-02.md"):
        holder.write(name, "another text\n")
    restore(holder, only="main/memory/2026-01-02.md")
    assert holder.memory()["memory/2026-01-01.md"] == b"another text\n"
    assert holder.memory()["memory/2026-01-02.md"] == b"note of day 2\n"


def test_a_folder_beside_gets_everything_and_must_be_empty(holder: Node, tmp_path: Path) -> None:
    target = tmp_path / "scratch"
    assert restore(holder, target=str(target), dry_run=True)["changed"] > 0
    assert not target.exists()
    restore(holder, target=str(target))
    current = holder.config.stores / "memory/current/tree"
    assert read_tree(target) == read_tree(current)
    with pytest.raises(Refused, match="is not empty"):
        restore(holder, target=str(target))


def test_a_symlink_in_the_way_is_left_and_named(holder: Node, tmp_path: Path) -> None:
    file = holder.workspace / "memory/2026-01-01.md"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    (refused,) = restore(holder)["refused"]
    assert refused["path"] == "main/memory/2026-01-01.md"
    assert file.is_symlink() and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"only": "nobody"}, BadInput, "has no nobody; it has the agents main"),
        ({"target": "scratch"}, BadInput, "absolute"),
        ({"snapshot": "20200101T000000.000Z-00000000"}, BadInput, "20200101"),
    ],
)
def test_what_is_not_there_is_said(
    holder: Node, more: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        restore(holder, **more)
    said = f"{caught.value}; {getattr(caught.value, 'remedy', '')}"
    assert words in said


def test_on_a_node_that_is_not_the_holder_nothing_is_restored(synced: Pair) -> None:
    a, b = synced
    b.take_in(a)
    with pytest.raises(Refused, match="is the holder: what is restored here would be overwritten"):
        restore(b)


def test_a_snapshot_that_rotted_is_not_restored(holder: Node) -> None:
    file = holder.config.stores / "memory/current/tree/main/memory/2026-01-01.md"
    file.chmod(0o600)
    file.write_bytes(b"rotten text 1\n")
    with pytest.raises(Failed, match=r"rotted: main/memory/2026-01-01\.md"):
        restore(holder)
