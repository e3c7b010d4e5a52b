"""Two nodes and one sshd, for the tests of stores and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .loopback import Node, Sshd


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        server = Sshd(Path(folder) / "sshd")
        yield server
        server.stop()


@pytest.fixture
def pair(sshd: Sshd) -> Iterator[tuple[Node, Node]]:
    """(pc-a, pc-b), each able to pull from the other."""
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        a, b = Node(Path(folder), "pc-a"), Node(Path(folder), "pc-b")
        a.reach(sshd, b)
        b.reach(sshd, a)
        yield a, b
