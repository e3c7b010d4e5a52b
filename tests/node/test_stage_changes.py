"""However a source changes, each staged copy is what the source was, and the one before stays."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.node.manifest import verify

from .loopback import Node, read_tree

NAMES = st.sampled_from(["a", "b", "c"])
KINDS = st.sampled_from(["one", "two", "longer", "link", "hard link", "folder"])
Tree = dict[tuple[str, ...], str]
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=2).map(tuple), KINDS, max_size=6)


def change(root: Path, tree: Tree) -> None:
    """Make the source this tree; what has the same kind as before is left alone."""
    for path in sorted(root.rglob("*"), reverse=True):
        if tree.get(path.relative_to(root).parts) != kind_of(path):
            shutil.rmtree(path) if kind_of(path) == "folder" else path.unlink()
    for parts, kind in sorted(tree.items()):
        at = root.joinpath(*parts)
        if any(above.is_file() or above.is_symlink() for above in at.parents):
            continue
        at.parent.mkdir(exist_ok=True)
        if not os.path.lexists(at):
            make(at, kind, root / "0")


def kind_of(path: Path) -> str:
    if path.is_symlink():
        return "link"
    return "folder" if path.is_dir() else path.read_text()


def make(at: Path, kind: str, file: Path) -> None:
    if kind == "link":
        at.symlink_to("one")
    elif kind == "folder":
        at.mkdir()
    elif kind == "hard link":
        os.link(file, at)
    else:
        at.write_text(kind)


def describe(root: Path) -> tuple[dict[str, bytes], dict[str, str], set[str]]:
    """What is in each file, where each link leads, and the folders."""
    paths = {str(path.relative_to(root)): path for path in root.rglob("*")}
    links = {name: os.readlink(path) for name, path in paths.items() if path.is_symlink()}
    folders = {name for name, path in paths.items() if kind_of(path) == "folder"}
    return read_tree(root), links, folders


@settings(max_examples=40, deadline=None)
@given(st.lists(TREES, min_size=2, max_size=4))
def test_it_is_staged_as_it_is(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory(prefix="djstage") as folder:
        source = Path(folder, "source")
        source.mkdir()
        t440 = Node(Path(folder), "t440", sources={"oc-core": str(source)})
        before = None
        for tree in trees:
            change(source, {("0",): "one", **tree})
            t440.call("store stage", source="oc-core")
            copy = (t440.config.state / "stage/oc-core/current").resolve()
            assert describe(copy / "tree") == describe(source)
            assert not verify(copy)
            if before and before[0] != copy:
                assert describe(before[0] / "tree") == before[1]
            before = (copy, describe(copy / "tree"))
