"""Taking in the serving node's memory: steady sync, change of roles, what is in the way."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import Refused

from .loopback import Node, read_tree

Pair = tuple[Node, Node]
RECOVERED = "memory/recovered"


def serve(node: Node, epoch: int) -> None:
    """Write the record that names this node on its own disk."""
    file = node.config.state / "record.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"epoch": epoch, "holder": node.name}))


def stand_by(node: Node, other: Node, epoch: int) -> None:
    serve(node, epoch)
    (node.config.state / "record.json").write_text(
        json.dumps({"epoch": epoch, "holder": other.name})
    )


def return_to(node: Node, peer: Node, epoch: int) -> dict[str, Any]:
    """What T440 orders at failback: ask for the base, fetch it, take in the peer's memory."""
    base = peer.call("memory base", of=node.name)
    node.call(
        "store fetch",
        store="memory",
        peer=peer.name,
        snapshot=base["snapshot"],
        pin=f"fork-{epoch}",
    )
    return node.take_in(peer, epoch, base=base["snapshot"], base_without=base["without"])


def test_the_steady_sync_copies_changes_and_deletions(synced: Pair) -> None:
    a, b = synced
    b.take_in(a)
    a.write("memory/2026-01-01.md", "note of day 1\nmore\n")
    (a.workspace / "memory/2026-01-02.md").unlink()
    a.write("memory/deep/new.md", "new\n")
    report = b.take_in(a)
    assert (report["taken"], report["removed"], report["own"]) == (2, 1, None)
    assert b.memory() == a.memory()
    (a.workspace / "memory/deep/new.md").unlink()
    b.take_in(a)
    assert not (b.workspace / "memory/deep").exists()


def test_live_files_are_copies_never_links_into_the_store(synced: Pair) -> None:
    a, b = synced
    b.take_in(a)
    for path in b.memory():
        assert (b.workspace / path).stat().st_nlink == 1


def test_what_both_wrote_survives_failover_and_failback(synced: Pair) -> None:
    a, b = synced
    b.take_in(a)
    # pc-a dies with words that were never synced; pc-b serves and writes.
    a.write("memory/2026-01-01.md", "note of day 1\nlast words of a\n")
    a.write("memory/facts.json", '{"a": "last"}')
    a.write("USER.md", "# Him, as a knows\n")
    a.write("memory/only-a.md", "only a\n")
    (b.workspace / "memory/2026-01-02.md").unlink()
    b.write("memory/2026-01-01.md", "note of day 1\nfirst words of b\n")
    b.write("memory/facts.json", '{"a": "b"}')
    b.write("USER.md", "# Her, as b knows\n")
    report = return_to(a, b, epoch=2)
    live = a.memory()
    assert live["memory/2026-01-01.md"].startswith(b"note of day 1\nfirst words of b\n")
    assert live["memory/2026-01-01.md"].endswith(b"last words of a\n")
    assert live["USER.md"] == b"# Her, as b knows\n"
    assert live["memory/only-a.md"] == b"only a\n"
    assert "memory/2026-01-02.md" not in live
    copies = {one["path"]: one["copy"] for one in report["conflicts"]}
    store = a.config.stores / "memory"
    note = a.workspace / copies["main/memory/facts.json"].partition("/")[2]
    assert '{"a": "last"}' in note.read_text(), "quoted where the agent can find it"
    (aside,) = (store / "conflicts").glob("*-facts.json")
    assert aside.read_text() == '{"a": "last"}'
    copy = a.workspace / copies["main/USER.md"].partition("/")[2]
    assert copy.parent == a.workspace / RECOVERED
    assert copy.read_text() == "# Him, as a knows\n"
    own = store / "snaps" / report["own"] / "tree/main"
    assert (own / "memory/facts.json").read_text() == '{"a": "last"}'
    pins = " ".join(os.listdir(store / "pins"))
    assert report["own"] in pins and pins.count("with-2-") == 2
    # pc-b wrote on meanwhile: the final sync; then the roles change and both have the same.
    b.write("memory/2026-01-01.md", "note of day 1\nfirst words of b\nand more\n")
    a.take_in(b, 2)
    again = a.take_in(b, 2)
    assert again["taken"] == again["removed"] == 0 and not again["conflicts"]
    assert a.memory()["memory/2026-01-01.md"].count(b"<!-- joe:") == 1
    return_to(b, a, epoch=3)
    assert a.memory() == b.memory()


def test_the_first_sync_onto_a_fresh_workspace_keeps_its_files_as_copies(synced: Pair) -> None:
    a, b = synced
    b.write("USER.md", "# Template\n")
    b.write("SOUL.md", "# Template\n")
    report = b.take_in(a)
    assert b.memory()["USER.md"] == a.memory()["USER.md"]
    assert report["kept_own"] == ["main/SOUL.md"]
    assert (b.workspace / report["conflicts"][0]["copy"][5:]).read_text() == "# Template\n"


def test_symlinks_in_the_way_are_refused_named_and_never_written_through(
    synced: Pair, tmp_path: Path
) -> None:
    a, b = synced
    a.write("memory/deep/note.md", "deep\n")
    (tmp_path / "precious.md").write_text("precious\n")
    (b.workspace / "USER.md").symlink_to(tmp_path / "precious.md")
    (b.workspace / "memory").mkdir()
    (b.workspace / "memory/deep").symlink_to(tmp_path)
    report = b.take_in(a)
    refused = {one["path"] for one in report["refused"]}
    assert refused == {"main/USER.md", "main/memory/deep", "main/memory/deep/note.md"}
    assert read_tree(tmp_path)["precious.md"] == b"precious\n"
    assert not (tmp_path / "note.md").exists()
    # What could not be taken in is no part of the base: pc-a does not lose it when it returns.
    a_has = a.memory()
    return_to(a, b, epoch=2)
    assert a.memory() == a_has


def test_a_symlinked_memory_folder_is_refused_as_a_whole(synced: Pair, tmp_path: Path) -> None:
    a, b = synced
    (b.workspace / "memory").symlink_to(tmp_path)
    report = b.take_in(a)
    assert report["taken"] == 2 and not list(tmp_path.glob("*.md"))
    assert {"main/memory", "main/memory/facts.json"} <= {one["path"] for one in report["refused"]}


def test_a_folder_in_the_way_of_a_file_is_named_and_the_rest_is_taken(synced: Pair) -> None:
    a, b = synced
    b.write("USER.md/notes.txt", "not memory\n")
    report = b.take_in(a)
    assert [one["path"] for one in report["refused"]] == ["main/USER.md"]
    assert len(b.memory()) == len(a.memory()) and not list(b.workspace.rglob(".joe-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_this_user_may_not_read_or_write_is_named_and_the_rest_is_taken(synced: Pair) -> None:
    a, b = synced
    b.take_in(a)
    a.write("memory/2026-01-01.md", "note of day 1\nmore\n")
    a.write("memory/closed/note.md", "new\n")
    a.write("USER.md", "# User\nnew\n")
    (b.workspace / "memory/2026-01-01.md").chmod(0)
    (b.workspace / "memory/closed").mkdir(mode=0o500)
    report = b.take_in(a)
    names = {one["path"] for one in report["refused"]}
    assert names == {"main/memory/2026-01-01.md", "main/memory/closed/note.md"}
    assert b.workspace.joinpath("USER.md").read_text() == "# User\nnew\n"
    (b.workspace / "memory/2026-01-01.md").chmod(0o600)
    (b.workspace / "memory/closed").chmod(0o700)
    assert not b.take_in(a)["refused"]
    assert b.memory() == a.memory()


def test_a_serving_node_and_the_holder_take_in_nothing(synced: Pair) -> None:
    a, b = synced
    snapshot = b.call("store list")["stores"]["memory"]["current"]
    given = {"store": "memory", "snapshot": snapshot, "peer": "pc-a"}
    with socket.socket() as gateway:
        gateway.bind(("127.0.0.1", b.config.gateway_port))
        gateway.listen()
        with pytest.raises(Refused, match="a gateway runs here"):
            b.call("store apply", **given)
    serve(b, 1)
    with pytest.raises(Refused, match="is the holder"):
        b.call("store apply", **given)
    assert not b.memory()
    stand_by(b, a, 1)
    assert b.call("store apply", **given)["taken"] == len(a.memory())


def test_memory_of_an_older_epoch_or_another_node_is_refused(synced: Pair) -> None:
    a, b = synced
    old = b.call("store list")["stores"]["memory"]["current"]
    with pytest.raises(Refused, match="comes from pc-a, not from t440"):
        b.call("store apply", store="memory", snapshot=old, peer="t440")
    a.write("USER.md", "# User\nnewer\n")
    b.take_in(a, epoch=5)
    with pytest.raises(Refused, match="is of epoch 1; epoch 5 was applied"):
        b.call("store apply", store="memory", snapshot=old, peer="pc-a")
    assert b.memory() == a.memory()


def test_several_agents_and_the_older_layout_find_their_places(pair: Pair) -> None:
    a, b = pair
    settings = "{agents: {entries: {main: {}, work: {workspace: '%s'}}}, /* JSON5 */}"
    for node in pair:
        (node.home / ".openclaw/openclaw.json").write_text(settings % (node.home / "job"))
    (a.home / "job/memory").mkdir(parents=True)
    (a.home / "job/memory/w.md").write_text("work\n")
    (a.home / ".openclaw/agents/old/memory").mkdir(parents=True)
    (a.home / ".openclaw/agents/old/memory/o.md").write_text("old\n")
    a.write("MEMORY.md", "main\n")
    agents = a.call("memory list")["agents"]
    assert {name: one["files"] for name, one in agents.items()} == {
        "main": 1,
        "work": 1,
        "agents.old": 1,
    }
    parts = {name: f"memory/{name}/" for name in agents}
    b.call("store pull", store="memory", peer="pc-a", parts=parts)
    snapshot = b.publish(a)["id"]
    b.call("store apply", store="memory", snapshot=snapshot, peer="pc-a")
    assert (b.home / "job/memory/w.md").read_text() == "work\n"
    assert (b.home / ".openclaw/agents/old/memory/o.md").read_text() == "old\n"
    assert b.memory() == a.memory()
