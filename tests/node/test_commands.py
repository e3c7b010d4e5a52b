"""What a site runs around the staging of a container: in order, with a deadline, and told."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.config import Commands
from deployments.node.errors import Refused
from deployments.node.manifest import verify

from .loopback import Node, read_tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A container's folder."""
    folder = tmp_path / "oc-core"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    return folder


@pytest.fixture
def t440(source: Path, tmp_path: Path) -> Node:
    return Node(tmp_path, "t440", sources={"oc-core": str(source)})


def staged(node: Node) -> Path:
    return node.config.state / "stage/oc-core/current"


def commanded(t440: Node, **commands: Any) -> Node:
    """T440 with commands around the staging of its container."""
    t440.fields["source_commands"] = {"oc-core": Commands(**commands)}
    return t440


def shell(words: str) -> tuple[str, ...]:
    return ("sh", "-c", words)


def test_before_and_after_run_around_the_copy(t440: Node, source: Path) -> None:
    dump, up = source / "dump.sql", source.parent / "up"
    node = commanded(
        t440,
        before=shell(f"rm -f {up}; echo dumped > {dump}"),
        after=shell(f"test -f {dump} && touch {up}"),
    )
    assert node.call("store stage", source="oc-core")["after"] == ""
    assert (staged(t440) / "tree/dump.sql").read_text() == "dumped\n"
    assert up.exists()


def test_a_before_that_fails_leaves_the_last_copy_and_after_still_runs(
    t440: Node, source: Path
) -> None:
    t440.call("store stage", source="oc-core")
    good = read_tree(staged(t440))
    (source / "a.txt").write_text("half of a write")
    up = source.parent / "up"
    node = commanded(t440, before=shell("echo no disk; exit 3"), after=("touch", str(up)))
    with pytest.raises(Refused, match="oc-core is not staged: sh ended with 3: no disk"):
        node.call("store stage", source="oc-core")
    assert read_tree(staged(t440)) == good
    assert up.exists()


def test_a_command_that_hangs_is_killed_with_what_it_started(t440: Node, source: Path) -> None:
    late = source.parent / "late"
    words = shell(f"(sleep 2; touch {late}) & sleep 60")
    node = commanded(t440, before=words, seconds=0.3)
    begun = time.monotonic()
    with pytest.raises(Refused, match=r"did not end within 0\.3 s and was killed"):
        node.call("store stage", source="oc-core")
    assert time.monotonic() - begun < 2
    assert not processes_with(str(late))


def test_what_after_starts_goes_on(t440: Node, source: Path) -> None:
    began, go = source.parent / "began", source.parent / "go"
    node = commanded(
        t440, after=shell(f"(while ! test -f {go}; do sleep 0.05; done; touch {began}) &")
    )
    assert node.call("store stage", source="oc-core")["after"] == ""
    go.touch()
    wait_until(began.exists, 5, "what it started goes on")


def processes_with(words: str) -> list[str]:
    """The command lines of this machine's processes that hold these words."""
    done = subprocess.run(("pgrep", "-af", words), capture_output=True, text=True)
    return done.stdout.splitlines()


def test_an_after_that_fails_is_said_and_the_copy_is_good(t440: Node, source: Path) -> None:
    node = commanded(t440, after=("no-such-program",))
    result = node.call("store stage", source="oc-core")
    assert result["after"] == "no-such-program cannot be run: No such file or directory"
    assert not verify(staged(t440))
