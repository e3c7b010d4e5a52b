"""Memory that is far larger than any agent's: it is carried, or refused, with little memory of
our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from deployments.node.errors import Refused
from deployments.node.manifest import verify

from .loopback import Node

Pair = tuple[Node, Node]
MB = 1 << 20
LARGE = 1024 * MB
MANY = 100_000
PEAK_MB = 400
pytestmark = pytest.mark.timeout(400)


# Run apart from this process: a child's peak is told with that of whoever forked it, which is ours.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.PIPE)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(json.dumps([done.returncode, peak, json.loads(done.stdout)]))
"""


def run(node: Node, verb: str, **params: Any) -> tuple[dict[str, Any], int]:
    """A verb in a process of its own; its answer, and the most MB that it or a child of it held."""
    argv, environment = node.command(verb)
    done = subprocess.run(
        (sys.executable, "-IS", "-c", MEASURE, *argv),
        input=json.dumps(params),
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    code, peak, told = json.loads(done.stdout)
    assert code == 0, told
    return told, peak


def sync(a: Node, b: Node) -> int:
    """One whole sync; the most MB that a step of it held."""
    parts, peaks = {"main": "memory/main/"}, []
    for verb, params in (
        ("store pull", {"peer": a.name, "parts": parts, "deadline_seconds": 600}),
        ("store validate", {}),
        ("store publish", {"origin": a.name, "epoch": 1, "tier": "memory"}),
    ):
        begun = time.monotonic()
        told, peak = run(b, verb, store="memory", **params)
        peaks.append(peak)
        print(f"{verb}: {time.monotonic() - begun:.1f} s, {peak} MB")
    begun = time.monotonic()
    _, peak = run(b, "store apply", store="memory", peer=a.name, snapshot=told["id"])
    print(f"store apply: {time.monotonic() - begun:.1f} s, {peak} MB")
    return max(*peaks, peak)


def test_a_note_of_a_gigabyte_is_carried(synced: Pair) -> None:
    a, b = synced
    line = b"a line of a very long note, as no agent writes it\n"
    with (a.workspace / "memory/large.md").open("wb") as stream:
        for _ in range(LARGE // MB):
            stream.write(line * (MB // len(line)))
    assert sync(a, b) < PEAK_MB
    theirs = b.workspace / "memory/large.md"
    assert theirs.stat().st_size == (a.workspace / "memory/large.md").stat().st_size
    assert not verify(b.current().parent)


def test_a_note_that_became_a_gigabyte_of_nothing_is_refused(synced: Pair) -> None:
    """A sparse file: no byte of it is on the disk."""
    a, b = synced
    b.take_in(a)
    before, live = b.current().parent.resolve(), b.memory()
    os.truncate(a.workspace / "MEMORY.md", LARGE)
    b.pull(a)
    with pytest.raises(Refused, match=r"MEMORY\.md was good and is ruined now.* NUL byte"):
        b.publish(a)
    assert b.current().parent.resolve() == before
    assert b.memory() == live


def test_a_hundred_thousand_notes_are_carried(synced: Pair) -> None:
    a, b = synced
    for number in range(MANY):
        file = a.workspace / f"memory/{number % 100:02}/note-{number}.md"
        if number < 100:
            file.parent.mkdir()
        file.write_text(f"# Note {number}\n")
    assert sync(a, b) < PEAK_MB
    assert len(b.memory()) == len(a.memory())
    assert b.pull(a)["changed"] == 0
    assert b.publish(a)["unchanged"]
