"""Two nodes and one sshd, for the tests of stores and memory."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .loopback import Node, Sshd
from .syncing import Pair, settle, sync
from .terms_ground import Terms, terms
from .tiers_ground import Tiers


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        server = Sshd(Path(folder) / "sshd")
        yield server
        server.stop()


@contextmanager
def two_nodes(sshd: Sshd) -> Iterator[tuple[Node, Node]]:
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        a, b = Node(Path(folder), "pc-a"), Node(Path(folder), "pc-b")
        a.reach(sshd, b)
        b.reach(sshd, a)
        yield a, b


@pytest.fixture
def pair(sshd: Sshd) -> Iterator[tuple[Node, Node]]:
    """(pc-a, pc-b), each able to pull from the other."""
    with two_nodes(sshd) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def synced_once(sshd: Sshd) -> Iterator[tuple[Node, Node]]:
    with two_nodes(sshd) as (a, b):
        a.write("MEMORY.md", "# Joe\n" + "remember\n" * 50)
        a.write("USER.md", "# User\n")
        for day in range(1, 13):
            a.write(f"memory/2026-01-{day:02}.md", f"note of day {day}\n")
        a.write("memory/facts.json", '{"a": 1}')
        b.pull(a)
        b.publish(a)
        yield a, b


@pytest.fixture
def synced(synced_once: tuple[Node, Node], pair: tuple[Node, Node]) -> tuple[Node, Node]:
    """pc-a with a small memory that pc-b has published once (copied, which is faster)."""
    for done, node in zip(synced_once, pair, strict=True):
        subprocess.run(("cp", "-a", f"{done.home}/.", str(node.home)), check=True)
        if done.config.state.exists():
            subprocess.run(
                ("cp", "-a", f"{done.config.state}/.", str(node.config.state)), check=True
            )
    return pair


@pytest.fixture(scope="module")
def world() -> Iterator[Terms]:
    """Three machines with guards, shared by the tests of a module."""
    with terms() as made:
        yield made


@pytest.fixture
def ground(world: Terms) -> Iterator[Terms]:
    """All machines are on, pc-a serves, and no fault is set; afterwards never two were seen."""
    for fault in ("ignore-term", "hang", "run", "slow-start", "crash-at-start", "foreign-body"):
        for name in world.three.nodes:
            world.fault(name, fault, on=False)
    world.bring_home()
    yield world
    world.never_two()


@pytest.fixture(scope="session")
def tiers_once(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiers, Path]:
    folder = tmp_path_factory.mktemp("tiers")
    made = Tiers(sshd, folder / "now")
    subprocess.run(("cp", "-a", str(folder / "now"), str(folder / "kept")), check=True)
    return made, folder


@pytest.fixture
def tiers(tiers_once: tuple[Tiers, Path]) -> Tiers:
    """The same three machines, as they were at first."""
    made, folder = tiers_once
    subprocess.run(("rm", "-rf", str(folder / "now")), check=True)
    subprocess.run(("cp", "-a", str(folder / "kept"), str(folder / "now")), check=True)
    return made


@pytest.fixture
def quiet(synced: Pair) -> Iterator[Pair]:
    """pc-a's memory is settled, and pc-b has pulled it so."""
    a, b = synced
    (a.home / ".openclaw/openclaw.json").write_text(json.dumps({"agents": {"list": []}}))
    settle(a)
    sync(a, b)
    yield a, b


@pytest.fixture
def known(tiers: Tiers) -> Tiers:
    """pc-a has published the very copy that T440 staged last: the files are other ones since
    their folders were copied for this test."""
    (tiers.source / "changing.txt").write_text("known\n")
    tiers.to_a()
    return tiers
