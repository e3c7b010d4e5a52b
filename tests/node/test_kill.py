"""kill -9 at random moments of a sync: `current` is always whole, and a rerun ends well.

Each moment has its own seed, which is printed with the step it hit.
"""

from __future__ import annotations

import collections
import itertools
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from deployments.node.manifest import verify

from .killing import KILLS, kill, wait_for
from .loopback import REPOSITORY, Node, read_tree

PULL = {"store": "memory", "peer": "pc-a", "parts": {"main": "memory/main/"}}
PUBLISH = {"store": "memory", "origin": "pc-a", "epoch": 1, "tier": "memory"}
APPLY = {"store": "memory", "peer": "pc-a"}


def start_sync(node: Node, step_file: Path) -> subprocess.Popen[bytes]:
    _, environment = node.command("")
    argv = (sys.executable, "-m", "tests.node.sync_once", str(step_file))
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=REPOSITORY
    )
    assert process.stdin
    process.stdin.write(json.dumps({"pull": PULL, "publish": PUBLISH, "apply": APPLY}).encode())
    process.stdin.close()
    return process


def wait_until_step(process: subprocess.Popen[bytes], step_file: Path, step: str) -> None:
    while step_file.read_text() not in (step, "done") and process.poll() is None:
        wait_for(process, 0.002)


def edit(node: Node, chance: random.Random) -> None:
    """The agent adds, changes and removes some notes."""
    for _ in range(chance.randint(1, 6)):
        node.write(f"memory/note-{chance.randint(0, 40)}.md", "x" * chance.randint(1, 20_000))
    notes = sorted((node.workspace / "memory").glob("note-*.md"))
    if len(notes) > 8:
        chance.choice(notes).unlink()


def assert_whole(node: Node) -> None:
    """`current` is a published snapshot, and every one of them is what its manifest says."""
    current = node.current().parent
    assert current.resolve().parent.name == "snaps"
    assert not verify(current)
    for snapshot in (node.config.stores / "memory/snaps").iterdir():
        assert not verify(snapshot)


def test_killed_at_random_moments(synced: tuple[Node, Node]) -> None:
    a, b = synced
    b.take_in(a)
    step_file = b.folder / "step"
    began = time.monotonic()
    assert start_sync(b, step_file).wait(60) == 0
    # How long after the begin of each step the kill may come.
    longest = {"pull": 1.5 * (time.monotonic() - began), "publish": 0.05, "apply": 0.1}
    hit: collections.Counter[str] = collections.Counter()
    versions = {path: {data} for path, data in a.memory().items()}
    for seed in itertools.count():
        if sum(hit[step] for step in longest) >= KILLS:
            break
        assert seed < 4 * KILLS, f"most kills come when the sync is over: {dict(hit)}"
        chance = random.Random(seed)
        edit(a, chance)
        for path, data in a.memory().items():
            versions.setdefault(path, set()).add(data)
        step_file.write_text("start")
        process = start_sync(b, step_file)
        aim = list(longest)[seed % 3]
        wait_until_step(process, step_file, aim)
        wait_for(process, chance.uniform(0, longest[aim]))
        kill(process, with_children=chance.random() < 0.5)
        step = step_file.read_text() or "between"
        hit[step] += 1
        print(f"seed {seed}: killed in {step}")
        assert_whole(b)
        for path, data in b.memory().items():
            assert ".joe-" in path or data in versions[path]  # no note is ever half
    b.take_in(a)  # whatever was left behind, the next run ends well
    assert_whole(b)
    assert b.memory() == a.memory()
    assert read_tree(b.current() / "main") == a.memory()
    assert not list(b.workspace.rglob(".joe-*"))
    print(dict(hit))
    assert min(hit[step] for step in longest) > 0
