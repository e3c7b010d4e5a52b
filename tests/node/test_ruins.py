"""Ruins over real sshd and rsync: each is refused, named, and leaves the last good live."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.node.errors import Failed, Refused

from .loopback import Node, read_tree

Pair = tuple[Node, Node]


def empty_one(a: Node) -> None:
    a.write("memory/2026-01-03.md", "")


def half_a_json(a: Node) -> None:
    a.write("memory/facts.json", '{"a": ')


def nul_bytes(a: Node) -> None:
    a.write("memory/2026-01-03.md", b"note\0\0")


def not_utf8(a: Node) -> None:
    a.write("MEMORY.md", b"# Joe\n\xff\xfe" + b"remember\n" * 50)


def rewrite_most(a: Node) -> None:
    for day in range(1, 12):
        a.write(f"memory/2026-01-{day:02}.md", f"ransom {day}, longer than any note\n")


def shrink_memory(a: Node) -> None:
    a.write("MEMORY.md", "# Joe\n" + "remember\n" * 10)


def lose_a_tenth(a: Node) -> None:
    for day in range(1, 8):
        (a.workspace / f"memory/2026-01-{day:02}.md").unlink()


def lose_a_required_file(a: Node) -> None:
    (a.workspace / "USER.md").unlink()


RUINS = [
    empty_one,
    half_a_json,
    nul_bytes,
    not_utf8,
    rewrite_most,
    shrink_memory,
    lose_a_tenth,
    lose_a_required_file,
]


@pytest.mark.parametrize("ruin", RUINS)
def test_a_ruin_is_refused_and_the_last_good_stays_live(
    synced: Pair, ruin: Callable[[Node], None]
) -> None:
    a, b = synced
    good = read_tree(b.current())
    ruin(a)
    b.pull(a)
    with pytest.raises(Refused) as refused:
        b.publish(a)
    described = b.call("store list")["stores"]["memory"]
    (rejected,) = described["rejected"]
    assert rejected["id"] in refused.value.message and read_tree(b.current()) == good
    assert all(reason in refused.value.message for reason in rejected["reasons"])
    # A person accepts it by its id: then it is the newest.
    result = b.accept(rejected["id"], "I did this")
    assert result["id"] != described["current"]
    assert read_tree(b.current() / "main") == a.memory()


def vanish(workspace: Path) -> None:
    shutil.rmtree(workspace)


def be_emptied(workspace: Path) -> None:
    shutil.rmtree(workspace)
    workspace.mkdir()


@pytest.mark.parametrize("act", [vanish, be_emptied])
def test_a_source_that_is_gone_or_empty_costs_nothing(
    synced: Pair, act: Callable[[Path], None]
) -> None:
    a, b = synced
    good, kept = a.memory(), a.folder / "kept"
    shutil.copytree(a.workspace, kept)
    act(a.workspace)
    with pytest.raises((Refused, Failed)):
        b.pull(a)
    with pytest.raises(Failed, match="nothing complete"):
        b.publish(a)
    assert read_tree(b.current() / "main") == good
    shutil.rmtree(a.workspace, ignore_errors=True)
    shutil.copytree(kept, a.workspace)
    b.pull(a)
    assert b.publish(a)["unchanged"]


def test_a_ruin_that_stays_is_held_the_next_time_and_the_rest_goes_on(synced: Pair) -> None:
    a, b = synced
    good = (b.current() / "main/memory/facts.json").read_bytes()
    half_a_json(a)
    b.pull(a)
    with pytest.raises(Refused):
        b.publish(a)
    a.write("USER.md", "# User\nnew\n")
    for _ in range(2):
        b.pull(a)
        result = b.publish(a)
        assert list(result["held"]) == ["main/memory/facts.json"]
    assert (b.current() / "main/memory/facts.json").read_bytes() == good
    assert (b.current() / "main/USER.md").read_text() == "# User\nnew\n"
    a.write("memory/facts.json", '{"a": 2}')
    b.pull(a)
    assert not b.publish(a)["held"]
    assert (b.current() / "main/memory/facts.json").read_text() == '{"a": 2}'


def test_a_file_that_is_ruined_again_after_it_was_mended_is_refused_again(synced: Pair) -> None:
    a, b = synced
    good = (a.workspace / "memory/facts.json").read_text()
    for _ in range(2):
        half_a_json(a)
        b.pull(a)
        with pytest.raises(Refused, match=r"facts\.json was good and is ruined now"):
            b.publish(a)
        a.write("memory/facts.json", good)
        b.pull(a)
        b.publish(a)


def test_validate_names_file_line_and_column(synced: Pair) -> None:
    a, b = synced
    half_a_json(a)
    b.pull(a)
    (bad,) = b.call("store validate", store="memory")["bad"]
    assert (bad["path"], bad["line"], bad["column"]) == ("main/memory/facts.json", 1, 7)
    assert bad["expected"] == "JSON" and bad["message"]
