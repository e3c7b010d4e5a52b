"""What a staged copy tells of its change: who has the copy before pulls this alone, and lacks
nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.node import delta
from deployments.node.delta import (
    compare_folders,
    make_delta,
    read_delta,
)
from deployments.node.linked import outermost, take_away
from deployments.node.manifest import verify

from .loopback import Node, Sshd, back_up
from .test_stage_changes import TREES, Tree, change
from .tiers_ground import STORE, everything

EXPORT = "stage/oc-core"
FOLDERS = {"": 1, "kept/": 1, "other/": 1, "gone/": 1, "gone/below/": 1}
NEW = {"": 2, "kept/": 1, "other/": 2, "new/": 1}


def test_folders_are_told_that_are_new_or_other_and_the_outermost_that_are_gone() -> None:
    other, gone = compare_folders(FOLDERS, NEW)
    assert (other, gone) == ({"", "other", "new"}, {"gone", "gone/below"})
    assert outermost({*gone, "gone/below/a", "gone.txt", "kept/a"}) == {
        "gone",
        "gone.txt",
        "kept/a",
    }


def test_a_change_that_is_too_long_to_tell_is_none() -> None:
    many = {f"{'x' * 100}{number}" for number in range(delta.LONGEST // 100)}
    for long in ((many, ()), ((), many)):
        assert make_delta("before", *long)[1:] == ("", (), ())
    assert make_delta("before", {"a"}, {"b"})[1:] == ("before", ("a",), ("b",))
    assert make_delta("", {"a"}, ())[1:] == ("", (), ())
    told = make_delta("before", {"b", "a"}, {"c"})
    assert read_delta(told.told()) == told and read_delta({}) == delta.Delta("")


OUTSIDE = ["../outside", "link/outside", "/outside", "", ".", "sub/../../outside", "sub//x", "no/x"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_is_taken_away_outside_the_tree(tmp_path: Path, path: str) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/x").write_text("stays")
    (tmp_path / "outside").write_text("stays")
    (tree / "link").symlink_to(tmp_path)
    before = everything(tmp_path)
    take_away(
        tree, [path.replace("/outside", str(tmp_path / "outside")) if path[:1] == "/" else path]
    )
    assert everything(tmp_path) == before
    take_away(tree, ["link", "sub"])
    assert set(everything(tmp_path)) == {".", "outside", "tree"}


@settings(max_examples=10, deadline=None)
@given(st.lists(TREES, min_size=2, max_size=4))
def test_a_pull_of_the_change_brings_what_a_pull_of_everything_does(
    sshd: Sshd, trees: list[Tree]
) -> None:
    with tempfile.TemporaryDirectory(prefix="djdelta") as folder:
        source = Path(folder, "source")
        source.mkdir()
        t440 = Node(Path(folder), "t440", sources={"oc-core": str(source)})
        a, b = Node(Path(folder), "pc-a"), Node(Path(folder), "pc-b")
        a.reach(sshd, t440)
        b.reach(sshd, t440)
        for tree in trees:
            # What each has beside them: a tree that loses most of its files is refused.
            change(source, {("0",): "one", **{(f"{n}",): "one" for n in range(1, 70)}, **tree})
            staged = t440.call("store stage", source="oc-core")
            back_up(a, "t440", EXPORT, "primary", staged)
            back_up(b, "t440", EXPORT, "primary")
            assert everything(a.current(STORE)) == everything(b.current(STORE))
            assert not verify(a.current(STORE).parent)
