"""What find(1) tells of a tree is what the kernel tells, whatever the names and times are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deployments.node.errors import Failed
from deployments.node.look import (
    has_names,
    inode_in,
    look,
    make_out,
    state_in,
)
from deployments.node.sqlite_copy import plain_state

from .killing import below

TIMES = {"now": 1796011307_696269946, "old": -315619199_750000000, "odd": 10**18 + 1, "zero": 0}
NAMES = [b"-x\n'q\" \xff* $(id).txt", b"f ", b"\n", b"%P", b"sub/\xc3\xa4"]


def make(tree: Path) -> None:
    (tree / "sub/empty").mkdir(parents=True)
    for name, time in TIMES.items():
        (tree / name).write_text(name)
        os.utime(tree / name, ns=(time, time))
    for word in NAMES:
        (tree / os.fsdecode(word)).write_text("odd")
    (tree / "link").symlink_to("/nowhere")
    os.link(tree / "now", tree / "sub/again")
    os.mkfifo(tree / "fifo")


def test_each_file_and_link_has_a_line_of_its_own_state(tmp_path: Path) -> None:
    make(tmp_path)
    seen = make_out(look(tmp_path))
    assert seen.lines.keys() == {
        *TIMES,
        *map(os.fsdecode, NAMES),
        *("link", "sub/again"),
    }
    for path, line in seen.lines.items():
        status = os.lstat(tmp_path / path)
        assert state_in(line) == plain_state(status)
        assert inode_in(line) == (str(status.st_dev), str(status.st_ino))
        assert has_names(line) == (path in ("now", "sub/again"))
        assert line[0] == ("l" if path == "link" else "f")
    assert (sorted(seen.folders), seen.others) == (["", "sub/", "sub/empty/"], ["fifo"])


@pytest.mark.parametrize("change", ["chmod 600 now", "touch -d @5 now", "rm now", "ln now more"])
def test_each_change_changes_a_line(tmp_path: Path, change: str) -> None:
    make(tmp_path)
    before = look(tmp_path)
    assert look(tmp_path) == before
    subprocess.run(change.split(), check=True, cwd=tmp_path)
    assert look(tmp_path) != before


def test_a_tree_that_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="is gone"):
        look(tmp_path / "unmounted")


def test_when_what_is_done_meanwhile_fails_the_walk_ends(tmp_path: Path) -> None:
    walks: list[int] = []

    def fail() -> None:
        walks.extend(below(os.getpid(), "find"))
        raise Failed("in the middle of it")

    with pytest.raises(Failed, match="in the middle of it"):
        look(tmp_path, fail)
    assert len(walks) <= 1 and not below(os.getpid(), "find")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "sub").chmod(0)
    with pytest.raises(Failed, match="Permission denied"):
        look(tmp_path)
