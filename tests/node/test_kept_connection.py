"""The connection that a sync leaves for the next one: used while it is good, and never waited for
long when it is not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deployments.demo.processes import wait_until
from deployments.node import transfer
from deployments.node.errors import BadInput, Failed
from deployments.node.shelf import lock, open_shelf

from .killing import below
from .loopback import Node, Sshd
from .syncing import Pair

TRIES = 3  # as the task that orders a pull makes them


@pytest.fixture(autouse=True)
def nothing_is_left(pair: Pair) -> Iterator[None]:
    pair[0].write("MEMORY.md", "# Joe\n")
    yield
    for pid in masters(pair[1]):
        os.kill(pid, signal.SIGKILL)


def masters(node: Node) -> list[int]:
    """The pids of the kept connections of a machine."""
    found = subprocess.run(("pgrep", "-f", f"{node.folder}/run/kept-"), capture_output=True)
    return [int(pid) for pid in found.stdout.split()]


def sync(a: Node, b: Node, text: str, kept: bool = True) -> None:
    """What the pull of a sync does, its tries included."""
    a.write("MEMORY.md", text)
    for number in range(TRIES):
        try:
            b.pull(a, kept=kept)
            break
        except Failed:
            if number == TRIES - 1:
                raise
    b.publish(a)
    assert (b.current() / "main/MEMORY.md").read_text() == text


def test_the_next_sync_uses_it_and_one_for_a_move_does_not(pair: Pair, sshd: Sshd) -> None:
    a, b = pair
    sync(a, b, "one\n")
    served = below(sshd.process.pid, "sshd")
    assert len(masters(b)) == 1
    sync(a, b, "two\n")
    assert below(sshd.process.pid, "sshd") == served
    kept = masters(b)
    sync(a, b, "three\n", kept=False)
    assert masters(b) == kept
    with lock(open_shelf(b.config, "memory"), 0):
        pass  # it does not hold the store


def test_it_is_there_before_the_pull_that_uses_it(pair: Pair, sshd: Sshd) -> None:
    a, b = pair
    for _ in range(2):
        b.call("peer connect", peer=a.name)
        assert len(masters(b)) == 1
        served = below(sshd.process.pid, "sshd")
    sync(a, b, "one\n")
    assert below(sshd.process.pid, "sshd") == served


def test_a_peer_that_does_not_let_us_in_is_said(pair: Pair) -> None:
    a, b = pair
    b.peers[a.name] = replace(b.peers[a.name], port=1)
    with pytest.raises(Failed, match=rf"{a.name} cannot be reached by ssh: .*refused"):
        b.call("peer connect", peer=a.name)
    with pytest.raises(BadInput, match="knows no peer pc-c"):
        b.call("peer connect", peer="pc-c")
    assert not masters(b)


@pytest.mark.parametrize("what", ["its process is killed", "the peer's end is killed"])
def test_when_it_is_gone_the_next_sync_makes_another(pair: Pair, sshd: Sshd, what: str) -> None:
    a, b = pair
    sync(a, b, "one\n")
    (old,) = masters(b)
    victims = [old] if what.startswith("its") else below(sshd.process.pid, "sshd")
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    begun = time.monotonic()
    sync(a, b, "two\n")
    assert time.monotonic() - begun < transfer.CONNECT_SECONDS
    assert masters(b) not in ([], [old])


def test_a_peer_that_fell_silent_costs_no_more_than_15_seconds(pair: Pair, sshd: Sshd) -> None:
    a, b = pair
    sync(a, b, "one\n")
    silent = below(sshd.process.pid, "sshd")
    for pid in silent:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        sync(a, b, "two\n")
    finally:
        for pid in silent:
            os.kill(pid, signal.SIGKILL)
    print(f"{time.monotonic() - begun:.1f} s until another connection was made")
    assert time.monotonic() - begun < 15 + 2 * transfer.CONNECT_SECONDS


@pytest.mark.parametrize(
    "moved_by", [-transfer.LONGEST_KEPT_SECONDS - 60, 3600], ids=["old", "new"]
)
def test_it_is_not_used_for_longer_than_an_hour_whatever_the_clock_says(
    pair: Pair, moved_by: float
) -> None:
    a, b = pair
    sync(a, b, "one\n")
    old = masters(b)
    (socket,) = (b.folder / "run").glob("kept-*")
    made = time.time() + moved_by
    os.utime(socket, (made, made))
    sync(a, b, "two\n")
    assert masters(b) != old and len(masters(b)) == 1


def test_it_ends_when_no_sync_uses_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "KEPT_SECONDS", 1)
    a, b = pair
    sync(a, b, "one\n")
    wait_until(lambda: not masters(b), 20, "it ends")
    assert not list((b.folder / "run").glob("kept-*"))
