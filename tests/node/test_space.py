"""A receiver without room: refused before it starts, and whatever happens the last good stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import Failed, Refused
from deployments.node.space import RESERVE_BYTES, Size, fits, in_words, on_disk

from .loopback import Node, read_tree

MB = 1 << 20
Pair = tuple[Node, Node]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def small(pair: Pair) -> Iterator[tuple[Node, Node, Any]]:
    """pc-a with a note, and pc-b, whose state is on a disk that can be given another size."""
    a, b = pair
    a.write("MEMORY.md", "# Joe\n")
    state = b.config.state
    state.mkdir(parents=True, exist_ok=True)

    def mount(options: str) -> None:
        subprocess.run(("mount", "-o", f"remount,{options}", str(state)), check=True)

    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(state)), check=True)
    try:
        yield a, b, mount
    finally:
        subprocess.run(("umount", "-l", str(state)), check=True)


def sync(a: Node, b: Node) -> None:
    """A pull that knows the source's size, and a publish."""
    found = a.call("memory list")
    b.pull(a, size={"bytes": found["bytes"], "files": found["files"]})
    b.publish(a)


@needs_root
def test_what_would_not_fit_is_refused_with_what_it_needs_and_who_uses_the_disk(
    small: tuple[Node, Node, Any],
) -> None:
    a, b, mount = small
    sync(a, b)
    good = read_tree(b.current())
    a.write("memory/large.md", "x" * (60 * MB))
    mount(f"size={100 * MB}")
    with pytest.raises(Refused, match=r"there is no room: 63 MB in 1 files would come, and \d+ MB"):
        sync(a, b)
    assert read_tree(b.current()) == good
    with pytest.raises(Refused, match=r"the stores here: memory \d+ kB"):
        sync(a, b)


@needs_root
def test_what_is_there_already_needs_no_room(small: tuple[Node, Node, Any]) -> None:
    a, b, mount = small
    a.write("memory/large.md", "x" * (60 * MB))
    sync(a, b)
    mount(f"size={60 * MB + RESERVE_BYTES + 20 * MB}")  # not enough for all of it once more
    a.write("memory/small.md", "one note more\n")
    sync(a, b)
    assert read_tree(b.current() / "main") == a.memory()


@needs_root
def test_inodes_count_too(small: tuple[Node, Node, Any]) -> None:
    a, b, mount = small
    for number in range(300):
        a.write(f"memory/{number}.md", "a note\n")
    mount("nr_inodes=2200")
    with pytest.raises(Refused, match=r"in 3\d\d files would come, and .* and 2\d\d\d inodes"):
        sync(a, b)


@needs_root
def test_a_disk_that_fills_up_within_the_pull_leaves_the_last_good(
    small: tuple[Node, Node, Any],
) -> None:
    a, b, mount = small
    sync(a, b)
    good = read_tree(b.current())
    a.write("memory/large.md", "x" * (60 * MB))
    mount(f"size={30 * MB}")
    with pytest.raises(Failed, match="no room or no permission on this machine"):
        b.pull(a)  # nobody told it the size
    with pytest.raises(Failed, match="nothing complete was pulled"):
        b.publish(a)
    assert read_tree(b.current()) == good
    mount("size=200m")
    sync(a, b)
    assert read_tree(b.current() / "main") == a.memory()


def test_what_is_kept_free_is_no_room() -> None:
    assert fits(Size(10, 10), Size(RESERVE_BYTES + 10, 5000))
    assert not fits(Size(11, 10), Size(RESERVE_BYTES + 10, 5000))
    assert not fits(Size(10, 10), Size(1 << 40, 2009))


def test_a_file_with_two_links_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    once = on_disk(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert on_disk(tmp_path) == once >= 100_000


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (1500, "2 kB"), (63e6, "63 MB"), (2.5e12, "2500.0 GB")]
)
def test_sizes_are_told_in_words(size: float, words: str) -> None:
    assert in_words(size) == words
