"""Pull and publish over real sshd and rsync: whole snapshots, strange names, links, rot."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from deployments.node.errors import BadInput, Failed
from deployments.node.manifest import read_manifest, verify

from .loopback import Node, read_tree

Pair = tuple[Node, Node]


def test_what_was_pulled_is_published_whole_and_can_be_copied_back(
    synced: Pair, tmp_path: Path
) -> None:
    a, b = synced
    assert read_tree(b.current() / "main") == a.memory()
    assert not verify(b.current().parent)
    subprocess.run(("cp", "-a", f"{b.current()}/main/.", str(tmp_path)), check=True)
    assert read_tree(tmp_path) == a.memory()


def test_it_can_be_asked_how_much_of_the_source_has_come(synced: Pair) -> None:
    a, b = synced
    assert incoming(b) == size_of(a)
    a.write("memory/large.md", "x" * 100_000)
    b.pull(a)
    assert incoming(b) == size_of(a)
    shutil.rmtree(b.config.stores / "memory/.incoming")
    assert incoming(b) == (0, 0)


def incoming(node: Node) -> tuple[int, int]:
    """(files, bytes) that have come."""
    told = node.call("store incoming", store="memory")
    return told["files"], told["bytes"]


def size_of(node: Node) -> tuple[int, int]:
    """(files, bytes) of its memory."""
    return len(node.memory()), sum(len(data) for data in node.memory().values())


def test_unchanged_memory_is_no_new_snapshot_but_refreshes_the_age(synced: Pair) -> None:
    a, b = synced
    before = b.call("store list")["stores"]["memory"]
    assert b.pull(a)["changed"] == 0
    result = b.publish(a)
    after = b.call("store list")["stores"]["memory"]
    assert result["unchanged"] and result["id"] == before["current"] == after["current"]
    assert len(after["snapshots"]) == 1


def test_the_same_memory_of_a_new_epoch_is_a_new_snapshot(synced: Pair) -> None:
    a, b = synced
    b.pull(a)
    result = b.publish(a, epoch=2)
    assert not result["unchanged"]
    assert read_manifest(b.current().parent / "manifest.json")["epoch"] == 2


def test_nothing_is_published_twice_from_one_pull(synced: Pair) -> None:
    a, b = synced
    with pytest.raises(Failed, match="nothing complete was pulled"):
        b.publish(a)


def test_unchanged_files_are_shared_between_snapshots(synced: Pair) -> None:
    a, b = synced
    first = b.current().resolve()
    a.write("USER.md", "# User\nlikes tea\n")
    b.pull(a)
    b.publish(a)
    second = b.current().resolve()
    assert first != second
    assert (first / "main/MEMORY.md").samefile(second / "main/MEMORY.md")
    assert (first / "main/USER.md").read_text() == "# User\n"


def test_a_rewrite_of_the_same_size_within_one_second_is_seen(synced: Pair) -> None:
    a, b = synced
    for letter in "xyz":
        file = a.write("USER.md", f"# Use{letter}\n")
        second = file.stat().st_mtime_ns // 10**9 * 10**9
        os.utime(file, ns=(second, second + ord(letter)))
        b.pull(a)
        b.publish(a)
        assert (b.current() / "main/USER.md").read_text() == f"# Use{letter}\n"


# A newline, quotes, a leading -, two dots, no UTF-8, wildcards, 255 bytes.
NAMES = [
    b"new\nline.md",
    b"'quo\"te.md",
    b"-rf.md",
    b"..two.md",
    b"\xff\xfe.md",
    b"* [a]? #.md",
    b"a  b .md",
    b"n" * 252 + b".md",
    b"$(id);`id`&.md",
    b"back\\slash.md",
]


def test_no_name_of_a_file_is_too_strange(pair: Pair) -> None:
    a, b = pair
    folder = os.fsencode(a.write("memory/plain.md", "x\n").parent)
    for name in NAMES:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(name)
    result = b.pull(a)
    b.publish(a)
    assert result["files"] == len(NAMES) + 1
    assert read_tree(b.current() / "main") == a.memory()
    assert b.rpc("store list")["exit"] == 0


def test_links_and_special_files_do_not_travel_and_are_named(synced: Pair, tmp_path: Path) -> None:
    a, b = synced
    (tmp_path / "secret.md").write_text("secret\n")
    (a.workspace / "memory/out.md").symlink_to(tmp_path / "secret.md")
    (a.workspace / "memory/folder").symlink_to(tmp_path)
    (a.workspace / "memory/dangling.md").symlink_to("/nowhere")
    os.mkfifo(a.workspace / "memory/fifo.md")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(a.workspace / "memory")  # a socket's path must be short
        listener.bind("sock.md")
        os.chdir(here)
    result = b.pull(a)
    assert {Path(name).name for name in result["skipped"]} >= {"out.md", "folder", "fifo.md"}
    assert b.publish(a)["unchanged"]
    assert "memory/out.md" in a.call("memory list")["agents"]["main"]["refused"]


def test_a_folder_may_become_a_file_and_a_folder_again(synced: Pair) -> None:
    a, b = synced
    for content in (None, "now a file\n", None):
        shutil.rmtree(a.workspace / "memory/x", ignore_errors=True)
        (a.workspace / "memory/x").unlink(missing_ok=True) if content is None else None
        a.write("memory/x/deep.md" if content is None else "memory/x", content or "deep\n")
        b.pull(a)
        b.publish(a)
        assert read_tree(b.current() / "main") == a.memory()


@pytest.mark.parametrize("target", ["snaps/gone", ""], ids=["dangling", "missing"])
def test_a_broken_current_is_found_again_by_the_snapshots(synced: Pair, target: str) -> None:
    a, b = synced
    link = b.current().parent
    snapshot = link.resolve().name
    link.unlink()
    if target:
        link.symlink_to(target)
    b.pull(a)
    assert b.publish(a)["id"] == snapshot
    assert link.resolve().name == snapshot


def test_rot_in_the_store_is_found_by_its_manifest(synced: Pair) -> None:
    _, b = synced
    file = b.current() / "main/USER.md"
    status = file.stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert verify(b.current().parent) == ["main/USER.md"]


def test_an_unreachable_or_unknown_peer_is_said_in_one_sentence(synced: Pair) -> None:
    a, b = synced
    good = b.peers["pc-a"]
    b.peers["pc-a"] = good.__class__("127.0.0.1", 1, good.user, good.key, good.known_hosts)
    with pytest.raises(Failed, match="cannot be reached"):
        b.pull(a)
    wrong = b.folder / "wrong_hosts"
    wrong.write_text("")
    b.peers["pc-a"] = good.__class__("127.0.0.1", good.port, good.user, good.key, wrong)
    with pytest.raises(Failed, match="Host key verification failed"):
        b.pull(a)
    assert not verify(b.current().parent)


def test_memory_is_published_under_the_name_of_whom_it_was_pulled_from(synced: Pair) -> None:
    a, b = synced
    b.pull(a)
    with pytest.raises(BadInput, match="was pulled from pc-a, not from pc-b"):
        b.publish(b)


def test_the_manifest_says_where_it_came_from(synced: Pair) -> None:
    _, b = synced
    document = read_manifest(b.current().parent / "manifest.json")
    assert (document["origin"], document["epoch"], document["parent"]) == ("pc-a", 1, None)
    assert document["id"] == b.current().parent.resolve().name
