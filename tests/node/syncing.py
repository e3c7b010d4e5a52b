"""Syncs as T440 orders them: what `memory list` told goes into the pull."""

from __future__ import annotations

import time
from typing import Any

from .loopback import Node

Pair = tuple[Node, Node]


def settle(node: Node) -> None:
    """Wait until nothing of the node's memory is too new to be sure of it."""
    while not all(node.call("memory list")["states"].values()):
        time.sleep(0.1)


def sync(a: Node, b: Node, epoch: int = 1) -> dict[str, Any]:
    """What the pull told of one sync, as T440 orders it."""
    found = a.call("memory list")
    pulled = b.pull(a, states=found["states"], settings=found["settings"])
    b.publish(a, epoch)
    return pulled


def append(a: Node) -> None:
    with (a.workspace / "MEMORY.md").open("a") as stream:
        stream.write("one more line\n")
