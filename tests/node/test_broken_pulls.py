"""A pull whose rsync is killed, whose link is cut, or whose source moves under it."""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.errors import Failed
from deployments.node.manifest import verify

from .killing import KILLS, below, end, wait_for
from .loopback import Node, Sshd, read_tree

Pair = tuple[Node, Node]
PULL = {"store": "memory", "peer": "pc-a", "parts": {"main": "memory/main/"}}
HOUR = 3600
LARGE = 12_000_000

Victims = Callable[[subprocess.Popen[str], Sshd], list[int]]
CUTS: dict[str, Victims] = {
    "our rsync": lambda process, _: below(process.pid, "rsync"),
    "the peer's rsync": lambda _, sshd: below(sshd.process.pid, "rsync"),
    "the link": lambda _, sshd: below(sshd.process.pid, "sshd"),
}


def start_pull(node: Node) -> subprocess.Popen[str]:
    argv, environment = node.command("store pull")
    process = subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    process.stdin.write(json.dumps(PULL))
    process.stdin.close()
    return process


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a verb answered, when it has ended."""
    assert process.stdout
    with process.stdout as stream:
        answer: dict[str, Any] = json.loads(stream.read())
    process.wait(60)
    return answer


def test_a_pull_that_is_cut_off_anywhere_leaves_the_last_good_and_can_be_made_again(
    synced: Pair, sshd: Sshd
) -> None:
    a, b = synced
    good, before = read_tree(b.current()), b.current().parent.resolve()
    failed: collections.Counter[str] = collections.Counter()
    for seed in itertools.count():
        if seed >= KILLS and min(failed[what] for what in CUTS) > 0:
            break
        assert seed < 5 * KILLS, f"most come too late: {dict(failed)}"
        chance, what = random.Random(seed), list(CUTS)[seed % 3]
        for number in range(4):
            a.write(f"memory/large-{number}.md", chance.randbytes(LARGE // 2).hex())
        process = start_pull(b)
        wait_until(lambda: bool(below(sshd.process.pid, "rsync")), 20, "the peer sends")
        wait_for(process, chance.uniform(0, 0.2))
        end(CUTS[what](process, sshd))
        answer = answer_of(process)
        print(f"seed {seed}: {what}: {answer.get('message', 'it was done')}")
        failed[what] += process.returncode != 0
        assert b.current().parent.resolve() == before
        assert read_tree(b.current()) == good
    wait_until(lambda: not below(sshd.process.pid, "rsync"), 20, "no rsync outlives its pull")
    b.pull(a)
    b.publish(a)
    assert read_tree(b.current() / "main") == a.memory()


def test_an_rsync_that_is_killed_is_not_said_to_have_met_its_deadline(
    synced: Pair, sshd: Sshd
) -> None:
    """As the kernel kills what takes too much memory."""
    a, b = synced
    for number in range(8):
        a.write(f"memory/large-{number}.md", random.randbytes(LARGE).hex())
    process = start_pull(b)
    wait_until(lambda: bool(below(process.pid, "rsync")), 20, "it pulls")
    end(below(process.pid, "rsync"))
    assert "rsync was killed" in answer_of(process)["message"]


def test_notes_that_come_and_go_during_a_pull_cost_no_other_note(synced: Pair) -> None:
    a, b = synced
    lasting, over = a.memory(), threading.Event()
    brief = [a.workspace / f"memory/brief-{number}.md" for number in range(5)]

    def come_and_go() -> None:
        while not over.is_set():
            for note in brief:
                beside = note.with_suffix(".lock")  # a name that is no memory
                beside.write_text("a brief note\n")
                beside.rename(note)
                over.wait(0.001)
                note.unlink()

    writer = threading.Thread(target=come_and_go)
    writer.start()
    try:
        for _ in range(8):
            try:
                b.pull(a)
            except Failed as failed:
                assert "vanished at the source" in failed.message
                continue
            b.publish(a)
            assert not verify(b.current().parent)
            assert lasting.items() <= read_tree(b.current() / "main").items()
    finally:
        over.set()
        writer.join()
    b.pull(a)
    b.publish(a)
    assert read_tree(b.current() / "main") == lasting


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_source_whose_clock_is_an_hour_off_is_carried_as_any_other(
    synced: Pair, off: int
) -> None:
    a, b = synced
    note = a.workspace / "memory/2026-01-03.md"
    for text in ("one", "two"):  # of one size, and the second is of an older time
        note.write_text(f"# {text}\n")
        time = note.stat().st_mtime + (off if text == "one" else off - 10)
        os.utime(note, (time, time))
        b.pull(a)
        b.publish(a)
        assert read_tree(b.current() / "main") == a.memory()
    assert 0 <= b.call("store list")["stores"]["memory"]["age_seconds"] < 60
