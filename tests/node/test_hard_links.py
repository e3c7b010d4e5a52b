"""Two names of one file in a container are two names of one file on every tier, and after a
restore."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.node.manifest import verify

from .loopback import Node, Sshd, back_up, read_tree

STORE = "backup/oc-core"


def linked(folder: Path) -> set[frozenset[str]]:
    """The paths that are one file, of each file with more than one path here."""
    found: dict[int, set[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found.setdefault(path.stat().st_ino, set()).add(str(path.relative_to(folder)))
    return {frozenset(paths) for paths in found.values() if len(paths) > 1}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "oc-core"
    (folder / "sub").mkdir(parents=True)
    (folder / "one").write_text("shared")
    os.link(folder / "one", folder / "sub/two")
    os.link(folder / "one", folder / "three")
    (folder / "alone").write_text("shared")  # the same content, and another file
    return folder


def write_through(source: Path) -> None:
    (source / "one").write_text("written through one name, seen by all")


def replace_one(source: Path) -> None:
    (source / "new").write_text("its own from now on")
    (source / "new").rename(source / "three")


def add_a_name(source: Path) -> None:
    os.link(source / "alone", source / "sub/another")


def change_nothing(source: Path) -> None:
    assert source.is_dir()


@pytest.mark.parametrize("change", [change_nothing, write_through, replace_one, add_a_name])
def test_they_are_kept_on_each_tier_and_by_each_restore(
    sshd: Sshd, tmp_path: Path, source: Path, change: Callable[[Path], None]
) -> None:
    t440 = Node(tmp_path, "t440", sources={"oc-core": str(source)})
    a, b = (Node(tmp_path, name) for name in ("pc-a", "pc-b"))
    a.reach(sshd, t440)
    b.reach(sshd, a)
    for number, step in enumerate((change_nothing, change)):
        step(source)
        staged = t440.call("store stage", source="oc-core")
        snapshot = back_up(a, "t440", "stage/oc-core", "primary", staged)["id"]
        back_up(b, "pc-a", f"store/{STORE}/{snapshot}", "dr")
        by_hand, by_us = tmp_path / f"by-hand-{number}", tmp_path / f"by-us-{number}"
        by_hand.mkdir()
        subprocess.run(("cp", "-a", f"{b.current(STORE)}/.", str(by_hand)), check=True)
        b.call("store restore", store=STORE, target=str(by_us))
        for copy in (t440.config.state / "stage/oc-core/current/tree", a.current(STORE)):
            assert linked(copy) == linked(source)
        for copy in (b.current(STORE), by_hand, by_us):
            assert linked(copy) == linked(source)
            assert read_tree(copy) == read_tree(source)
        assert not verify(b.current(STORE).parent)
