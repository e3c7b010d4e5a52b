"""A pull that hangs, two at once, a key that is gone, a door that opens nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from deployments.node.errors import BadInput, Failed, Refused
from deployments.node.manifest import verify
from deployments.node.rsync_output import explain, parse_pass
from deployments.node.shelf import lock, open_shelf
from deployments.node.transfer import make_rsync, make_ssh

from .loopback import Node, Sshd, make_key

Pair = tuple[Node, Node]


def test_a_peer_that_hangs_is_left_at_the_deadline(synced: Pair, sshd: Sshd) -> None:
    a, b = synced
    make_key(b.folder / "slow")
    public = (b.folder / "slow.pub").read_text()
    with open(sshd.keys, "a") as stream:
        stream.write(f'restrict,command="exec sleep 30" {public}')
    peer = b.peers["pc-a"]
    b.peers["pc-a"] = peer.__class__(
        peer.address, peer.port, peer.user, b.folder / "slow", peer.known_hosts
    )
    began = time.monotonic()
    with pytest.raises(Failed, match="the deadline passed"):
        b.pull(a, deadline_seconds=2)
    assert time.monotonic() - began < 10
    b.peers["pc-a"] = peer
    b.pull(a)
    assert b.publish(a)["unchanged"]


def test_a_second_run_is_refused_while_the_first_holds_the_store(synced: Pair) -> None:
    shelf = open_shelf(synced[1].config, "memory")
    with lock(shelf), pytest.raises(Refused, match="in use by another run"), lock(shelf, 0.1):
        pass


def test_two_pulls_at_once_are_one_after_the_other(synced: Pair) -> None:
    a, b = synced
    a.write("memory/new.md", "new\n")
    results: list[int] = []

    def run() -> None:
        parts = {"main": "memory/main/"}
        results.append(b.rpc("store pull", store="memory", peer="pc-a", parts=parts)["exit"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0]
    b.publish(a)
    assert not verify(b.current().parent)


def test_a_key_that_was_revoked_costs_nothing_but_this_run(synced: Pair, sshd: Sshd) -> None:
    a, b = synced
    admitted = sshd.keys.read_text()
    public = (b.folder / "to-pc-a.pub").read_text()
    sshd.keys.write_text("".join(one for one in admitted.splitlines(True) if public not in one))
    with pytest.raises(Failed, match="Permission denied"):
        b.pull(a)
    sshd.keys.write_text(admitted)
    assert not verify(b.current().parent)


def test_the_pull_key_opens_no_shell_no_write_and_no_other_file(synced: Pair) -> None:
    a, b = synced
    ssh = make_ssh(b.peers["pc-a"], b.folder / "s")
    for command in ("id", "", "cat /etc/passwd", "rsync --server . memory/main/"):
        done = subprocess.run((*ssh, "127.0.0.1", command), capture_output=True, timeout=30)
        assert done.returncode == 2 and done.stdout == b"", command
    shell = " ".join(ssh)
    for source in ("/etc/passwd", "memory/main/../../../node.json", "store/memory/.incoming/tree/"):
        argv = ("rsync", "-a", "-e", shell, f"127.0.0.1:{source}", str(b.folder / "stolen"))
        assert subprocess.run(argv, capture_output=True, timeout=30).returncode != 0
    push = ("rsync", "-a", "-e", shell, str(b.file), "127.0.0.1:memory/main/")
    assert subprocess.run(push, capture_output=True, timeout=30).returncode != 0
    subprocess.run((*ssh, "-O", "exit", "127.0.0.1"), capture_output=True)
    assert not (b.folder / "stolen").exists() and not (a.workspace / "node.json").exists()


def test_the_connection_is_closed_and_leaves_no_file(synced: Pair) -> None:
    a, b = synced
    b.pull(a)
    assert not list(b.config.run.glob("joe-*"))


WRONG = {
    "no store": {"store": "../x"},
    "an unknown peer": {"peer": "pc-c"},
    "no parts": {"parts": {}},
    "a part that climbs": {"parts": {"..": "memory/main/"}},
    "a part with a slash": {"parts": {"a/b": "memory/main/"}},
    "an export that climbs": {"parts": {"main": "memory/../main/"}},
    "an absolute export": {"parts": {"main": "/etc/"}},
    "an option as an export": {"parts": {"main": "-e/bin/sh"}},
    "a deadline of no time": {"deadline_seconds": 0},
    "a check with a space": {"check": "store/a b"},
    "a publish of nobody": {"publish": {"epoch": 1, "tier": "primary"}},
    "a publish that is no order": {"publish": True},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_malformed_request_is_refused_before_anything_is_done(
    pair: Pair, wrong: dict[str, object]
) -> None:
    _, b = pair
    good = {"store": "memory", "peer": "pc-a", "parts": {"main": "memory/main/"}}
    with pytest.raises(BadInput):
        b.call("store pull", **{**good, **wrong})
    assert not (b.config.stores / "memory/.incoming").exists()


def test_the_rsync_command_is_built_as_data() -> None:
    from deployments.node.config import Peer
    from deployments.node.transfer import Link

    peer = Peer("::1", 22, "joe", Path("/k ey"), Path("/hosts"))
    argv = make_rsync(
        Link(peer, make_ssh(peer, Path("/s"))), "memory/main/", Path("/to"), ("-rt",), 20
    )
    assert argv[-3:] == ("--", "joe@[::1]:t20/memory/main/", "/to")
    assert "'/k ey'" in argv[argv.index("-e") + 1]


OUTPUT = r"""skipping non-regular file "memory/l.md"
cd+++++++++
>f+++++++++
>f..t......
.d..t......
*deleting
cL+++++++++

Number of files: 1234 (reg: 1200, dir: 33, link: 1)
Total file size: 56789 bytes
"""


def test_rsyncs_output_is_read() -> None:
    found = parse_pass(OUTPUT)
    assert (found.changed, found.files, found.bytes) == (6, 1200, 56789)
    assert found.skipped == ("memory/l.md",)
    assert parse_pass("").files == 0


@pytest.mark.parametrize(
    ("code", "stderr", "words"),
    [
        (23, 'rsync: opendir "x" failed: Permission denied (13)', "could not be read"),
        (12, "ssh: refused\nrsync: closed (0 bytes received so far) [Receiver]", "by ssh"),
        (12, "export: memory/x is not exported here", "does not export this"),
        (99, "", "code 99"),
    ],
)
def test_an_exit_code_is_a_sentence(code: int, stderr: str, words: str) -> None:
    assert words in explain(code, stderr)


def test_an_unreadable_file_fails_the_pull_and_is_named(synced: Pair) -> None:
    a, b = synced
    file = a.write("memory/locked.md", "x\n")
    file.chmod(0)
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    with pytest.raises(Failed, match=r"locked\.md"):
        b.pull(a)


def test_answers_are_json_also_for_names_that_are_no_text(pair: Pair) -> None:
    a, b = pair
    folder = os.fsencode(a.write("memory/plain.md", "x\n").parent)
    Path(os.fsdecode(folder + b"/\xff.json")).write_text("{")
    b.pull(a)
    answer = b.rpc("store validate", store="memory")
    assert answer["exit"] == 0 and json.dumps(answer)
    assert os.fsencode(answer["bad"][0]["path"]) == b"main/memory/\xff.json"
