"""T440 itself as a source of backups: what a new T440 needs, and never a vote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.node.config import NodeConfig
from deployments.node.errors import BadInput

from .loopback import Node, read_tree

SITE = "site: joe\n"


@pytest.fixture
def t440(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A watchdog with a record, a journal, a lock and a vote that it lends."""
    node = Node(tmp_path, "t440")
    monkeypatch.setenv("DUALJOE_NODE", str(node.file))
    node.config.state.mkdir(parents=True, exist_ok=True)
    (node.config.state / "record.json").write_text('{"epoch": 3, "holder": "pc-a"}')
    (node.config.state / "journal.jsonl").write_text('{"kind": "alert"}\n')
    (node.config.state / "move.lock").touch()
    node.config.run.mkdir(parents=True, exist_ok=True)
    (node.config.run / "vote.json").write_text("{}")
    return node


def stage(node: Node, site: str = SITE) -> dict[str, object]:
    return node.call("store stage", source="t440", texts={"site.yaml": site})


def staged(config: NodeConfig) -> dict[str, bytes]:
    return read_tree(config.state / "stage/t440/current/tree")


def test_its_site_file_record_journal_and_node_json_are_staged_and_nothing_else(
    t440: Node,
) -> None:
    assert stage(t440)["files"] == 4
    found = staged(t440.config)
    assert sorted(found) == ["journal.jsonl", "node.json", "record.json", "site.yaml"]
    assert found["site.yaml"] == SITE.encode()
    assert json.loads(found["node.json"])["name"] == "t440"


def test_what_has_not_changed_is_not_copied_again(t440: Node) -> None:
    stage(t440)
    first = t440.config.state / "stage/t440/current/tree/site.yaml"
    inode = first.stat().st_ino
    with (t440.config.state / "journal.jsonl").open("a") as journal:
        journal.write('{"kind": "moved"}\n')
    assert stage(t440)["changed"] == 1
    assert first.stat().st_ino == inode


def test_a_pause_that_ended_is_gone_from_the_next_copy(t440: Node) -> None:
    (t440.config.state / "pause.json").write_text("{}")
    stage(t440)
    assert "pause.json" in staged(t440.config)
    (t440.config.state / "pause.json").unlink()
    stage(t440)
    assert "pause.json" not in staged(t440.config)


@pytest.mark.parametrize("name", ["../record.json", "vote.json", ""])
def test_a_text_of_another_name_is_refused(t440: Node, name: str) -> None:
    with pytest.raises(BadInput, match=r"may hold site\.yaml alone"):
        t440.call("store stage", source="t440", texts={name: "x"})


def test_a_node_is_no_source_of_its_own(tmp_path: Path) -> None:
    node = Node(tmp_path, "pc-a", nodes=("pc-a", "pc-b"))
    with pytest.raises(BadInput, match="pc-a has no source pc-a"):
        node.call("store stage", source="pc-a", texts={})
