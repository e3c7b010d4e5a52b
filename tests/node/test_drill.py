"""The rehearsed restore: what it finds, and that it leaves nothing behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import Refused

from .loopback import Node, Sshd, back_up

STORE = "backup/oc-core"


@pytest.fixture
def backed_up(sshd: Sshd, tmp_path: Path) -> Node:
    """pc-a with one verified backup of a container: text, JSON, a link, a database."""
    source = tmp_path / "oc-core"
    source.mkdir()
    (source / "a.txt").write_text("hello\n")
    (source / "config.json").write_text('{"a": 1} // as its program likes it\n')
    (source / "link").symlink_to("a.txt")
    with closing(sqlite3.connect(source / "live.db")) as database:
        database.execute("CREATE TABLE t(x)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(50)])
        database.commit()
    t440, a = Node(tmp_path, "t440", sources={"oc-core": str(source)}), Node(tmp_path, "pc-a")
    a.reach(sshd, t440)
    t440.call("store stage", source="oc-core")
    back_up(a, "t440", "stage/oc-core", "primary")
    return a


def drill(node: Node) -> dict[str, Any]:
    return node.call("store drill", store=STORE)


def test_a_good_backup_is_restored_whole_and_nothing_is_left_of_it(backed_up: Node) -> None:
    result = drill(backed_up)
    assert (result["files"], result["databases"], result["wrong"]) == (4, 1, [])
    assert [line.partition(":")[0] for line in result["odd"]] == ["config.json"]
    store = backed_up.config.stores / STORE
    assert not (store / ".drill").exists() and not list((store / "pins").iterdir())
    told = backed_up.call("store list")["stores"][STORE]["drill"]
    assert (told["id"], told["wrong"]) == (result["id"], [])


def test_bit_rot_is_found_and_named(backed_up: Node) -> None:
    tree = backed_up.current(STORE)
    for name, at in (("a.txt", 0), ("live.db", 5000)):
        (tree / name).chmod(0o600)
        with (tree / name).open("r+b") as file:
            file.seek(at)
            file.write(b"\xff" * 40)
    wrong = drill(backed_up)["wrong"]
    assert "a.txt: not as in the manifest" in wrong
    assert "live.db: not as in the manifest" in wrong
    assert backed_up.call("store list")["stores"][STORE]["drill"]["wrong"] == wrong


def test_a_file_that_is_gone_is_wrong_too(backed_up: Node) -> None:
    (backed_up.current(STORE) / "a.txt").unlink()
    assert drill(backed_up)["wrong"] == ["a.txt: not as in the manifest"]


def test_without_a_backup_there_is_nothing_to_rehearse(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no verified snapshot to rehearse with"):
        drill(Node(tmp_path, "pc-a"))
