"""A sync takes what changed and no more: the agents that wrote, and one pass over each."""

from __future__ import annotations

import json
import threading

from deployments.demo.processes import wait_until
from deployments.node.memory import look
from deployments.node.patterns import DEFAULT_PATTERNS
from deployments.node.states import TICK_NS

from .killing import below
from .loopback import Sshd, read_tree
from .syncing import Pair, append, settle, sync


def test_changed_settings_are_pulled_without_a_pass_over_the_memory(quiet: Pair) -> None:
    a, b = quiet
    file = a.home / ".openclaw/openclaw.json"
    file.write_text(json.dumps({"agents": {"list": [], "x": 1}}))
    settle(a)
    assert sync(a, b)["passes"] == 0
    assert (b.current().parent / "openclaw.json").read_text() == file.read_text()
    assert read_tree(b.current() / "main") == a.memory()


def test_only_the_agent_that_wrote_is_pulled(quiet: Pair) -> None:
    a, b = quiet
    a.write("../workspace-work/MEMORY.md", "the other agent's\n")
    agents = {"list": [{"id": "main"}, {"id": "work"}]}
    (a.home / ".openclaw/openclaw.json").write_text(json.dumps({"agents": agents}))
    parts = {agent: f"memory/{agent}" for agent in ("main", "work")}
    settle(a)
    for _ in range(2):
        states = a.call("memory list")["states"]
        pulled = b.pull(a, parts=parts, states=states, settings=True)
        b.publish(a)
    assert pulled["passes"] == 0
    append(a)
    states = a.call("memory list")["states"]
    other = a.home / ".openclaw/workspace-work"
    other.rename(other.with_name("away"))  # to pull it would fail now
    pulled = b.pull(a, parts=parts, states=states, settings=True)
    b.publish(a)
    assert (pulled["changed"], pulled["files"]) == (1, len(a.memory()) + 1)
    assert read_tree(b.current() / "main") == a.memory()
    assert read_tree(b.current() / "work") == {"MEMORY.md": b"the other agent's\n"}
    b.pull(a, states=states, settings=True)  # that agent is gone at the source
    assert read_tree(b.config.stores / "memory/.incoming/tree") == {
        f"main/{path}": content for path, content in a.memory().items()
    }


def test_one_pass_is_enough_when_the_source_says_that_nobody_wrote(quiet: Pair) -> None:
    a, b = quiet
    append(a)
    wait_until(lambda: bool(look(a.workspace, DEFAULT_PATTERNS, TICK_NS)[2]), 5, "it stands still")
    assert sync(a, b)["passes"] == 1
    assert read_tree(b.current() / "main") == a.memory()


def test_a_write_while_it_is_read_costs_another_pass(quiet: Pair, sshd: Sshd) -> None:
    """The first write is before rsync looks, the last one while it reads."""
    a, b = quiet
    for number in range(4):
        a.write(f"memory/large-{number}.md", "x" * 15_000_000)

    def write() -> None:
        while not below(sshd.process.pid, "rsync"):
            append(a)
        append(a)

    writer = threading.Thread(target=write)
    writer.start()
    pulled = sync(a, b)
    writer.join()
    assert pulled["passes"] > 1
    sync(a, b)
    assert read_tree(b.current() / "main") == a.memory()
