"""A source whose memory is as it was is not asked for it again; whatever changed is pulled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from deployments.node.errors import Failed, Refused
from deployments.node.manifest import verify
from deployments.node.states import SETTLE_NS, state_of

from .loopback import Node, read_tree
from .syncing import Pair, append, settle, sync


def test_nothing_is_pulled_and_the_peer_is_not_even_asked(quiet: Pair) -> None:
    a, b = quiet
    states = a.call("memory list")["states"]
    before = b.call("store list")["stores"]["memory"]
    b.peers["pc-a"] = replace(b.peers["pc-a"], port=1)  # nobody is there
    for _ in range(3):
        pulled = b.pull(a, states=states, settings=True)
        assert (pulled["changed"], pulled["passes"], pulled["settled"]) == (0, 0, True)
        assert (pulled["files"], pulled["bytes"]) == (
            len(a.memory()),
            sum(map(len, a.memory().values())),
        )
        assert b.publish(a)["unchanged"]
    after = b.call("store list")["stores"]["memory"]
    assert after["current"] == before["current"]
    assert after["age_seconds"] < 5
    with pytest.raises(Failed, match="cannot be reached"):
        b.pull(a, states={"main": "another"}, settings=True)


def test_under_a_new_epoch_it_is_a_new_snapshot_with_the_settings(quiet: Pair) -> None:
    a, b = quiet
    first = b.current().parent.resolve()
    assert sync(a, b, epoch=2)["passes"] == 0
    second = b.current().parent.resolve()
    assert second != first
    assert (second / "openclaw.json").read_text() == (first / "openclaw.json").read_text()
    assert read_tree(second / "tree/main") == a.memory()
    assert not verify(second)
    assert sync(a, b, epoch=2)["passes"] == 0


def rewrite_in_place(a: Node) -> None:
    """The same size, and the time set back: only the change time tells."""
    file = a.workspace / "memory/2026-01-01.md"
    before, text = file.stat(), file.read_text()
    file.write_text(text.upper())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def remove(a: Node) -> None:
    (a.workspace / "memory/2026-01-02.md").unlink()


def rename(a: Node) -> None:
    (a.workspace / "memory/2026-01-03.md").rename(a.workspace / "memory/2026-02-03.md")


def add(a: Node) -> None:
    a.write("memory/new.md", "new\n")


@pytest.mark.parametrize("change", [append, remove, rename, add])
def test_every_change_is_pulled(quiet: Pair, change: Callable[[Node], None]) -> None:
    a, b = quiet
    change(a)
    settle(a)
    assert sync(a, b)["passes"] > 0
    assert read_tree(b.current() / "main") == a.memory()
    settings = (a.home / ".openclaw/openclaw.json").read_text()
    assert (b.current().parent / "openclaw.json").read_text() == settings


def test_what_was_written_just_now_is_pulled_twice(quiet: Pair) -> None:
    """The first time nobody can be sure that it was the last write of that moment."""
    a, b = quiet
    append(a)
    assert sync(a, b)["passes"] > 0
    settle(a)
    assert sync(a, b)["passes"] > 0
    assert sync(a, b)["passes"] == 0
    assert read_tree(b.current() / "main") == a.memory()


def test_a_rewrite_that_hides_its_time_is_looked_at(quiet: Pair) -> None:
    a, b = quiet
    rewrite_in_place(a)
    settle(a)
    assert sync(a, b)["passes"] > 0


def test_another_pattern_on_the_receiver_is_another_pull(quiet: Pair) -> None:
    a, b = quiet
    b.fields["patterns"] = ("MEMORY.md",)
    found = a.call("memory list")
    assert b.pull(a, states=found["states"], settings=True)["passes"] > 0


def test_what_is_only_half_there_is_pulled(quiet: Pair) -> None:
    """A pull that broke off has touched .incoming."""
    a, b = quiet
    states = a.call("memory list")["states"]
    good, b.peers["pc-a"] = b.peers["pc-a"], replace(b.peers["pc-a"], port=1)
    with pytest.raises(Failed, match="cannot be reached"):
        b.pull(a, states={"main": "another"}, settings=True)
    b.peers["pc-a"] = good
    assert b.pull(a, states=states, settings=True)["passes"] > 0
    assert b.publish(a)["unchanged"]


def test_a_file_that_is_held_is_looked_at_each_time(quiet: Pair) -> None:
    a, b = quiet
    a.write("memory/facts.json", "{")
    settle(a)
    with pytest.raises(Refused, match="is ruined now"):
        sync(a, b)
    for _ in range(2):
        found = a.call("memory list")
        assert b.pull(a, states=found["states"], settings=True)["passes"] > 0
        assert list(b.publish(a)["held"]) == ["main/memory/facts.json"]


def test_what_rotted_in_the_store_is_pulled_again(quiet: Pair) -> None:
    a, b = quiet
    rot(b)
    b.call("store scrub", store="memory", of=1)
    assert sync(a, b)["passes"] > 0
    b.call("store heal", store="memory")
    assert read_tree(b.current() / "main") == a.memory()


def rot(b: Node) -> None:
    """Flip one bit of a note in the newest snapshot; size and time stay."""
    file = b.current() / "main/MEMORY.md"
    status, data = file.stat(), bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_rotted_is_never_published_as_a_change(quiet: Pair) -> None:
    """No scrub has found it yet; rsync, which looks at size and time, does not see it."""
    a, b = quiet
    b.take_in(a)
    live, before = b.memory(), b.current().parent.resolve()
    rot(b)
    with pytest.raises(Failed, match=r"1 files rotted in memory .*: main/MEMORY\.md"):
        sync(a, b)
    assert b.current().parent.resolve() == before
    assert sync(a, b)["passes"] > 0
    b.call("store heal", store="memory")
    assert read_tree(b.current() / "main") == a.memory()
    assert not verify(b.current().parent)
    assert b.memory() == live


@pytest.mark.parametrize(
    ("age_ns", "is_sure"),
    [
        pytest.param(SETTLE_NS + 1, True, id="long enough ago"),
        pytest.param(0, False, id="just now"),
        pytest.param(-(10**12), False, id="in the future: the clock was set back"),
    ],
)
def test_what_is_too_new_is_not_sure(quiet: Pair, age_ns: int, is_sure: bool) -> None:
    status = (quiet[0].workspace / "MEMORY.md").stat()
    newest = max(status.st_mtime_ns, status.st_ctime_ns)
    assert bool(state_of([("MEMORY.md", status)], newest + age_ns)) is is_sure
