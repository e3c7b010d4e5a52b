"""A tree of hard links that is made of an earlier one is as if it were made anew."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.node.linked import inodes_of, link_tree, remove, scan

NAMES = st.sampled_from(["a", "b", " c\n", "-d"])
KINDS = st.sampled_from(["file", "other file", "link", "other link", "folder", "closed folder"])
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), KINDS, max_size=12)


def make(root: Path, tree: dict[tuple[str, ...], str], contents: Path) -> None:
    """A tree whose files are links to a few contents; what lies under a file is left out."""
    root.mkdir()
    closed = []
    for path, kind in sorted(tree.items()):
        at = root.joinpath(*path)
        if any(above.is_symlink() or above.is_file() for above in at.parents if above != root):
            continue
        at.parent.mkdir(parents=True, exist_ok=True)
        if at.is_dir():
            continue
        if kind.endswith("file"):
            os.link(contents / kind, at)
        elif kind.endswith("link"):
            at.symlink_to(kind)
        else:
            at.mkdir()
            closed += [at] if kind == "closed folder" else []
    for at in closed:
        at.chmod(0o500)


def describe(root: Path) -> dict[str, object]:
    """Everything that a reader of the tree can tell, inodes of files included."""
    found: dict[str, object] = {}
    for path, entry in scan(root):
        status = entry.stat(follow_symlinks=False)
        told: object = status.st_ino
        if stat.S_ISLNK(status.st_mode):
            told = os.readlink(entry.path)
        elif stat.S_ISDIR(status.st_mode):
            told = "a folder"
        found[path] = (told, status.st_mode, status.st_mtime_ns)
    return found


@settings(deadline=None)
@given(TREES, TREES)
def test_whatever_the_earlier_tree_was(
    earlier: dict[tuple[str, ...], str], now: dict[tuple[str, ...], str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="djlinked") as folder:
        home = Path(folder)
        for name in ("file", "other file"):
            (home / name).write_text(name)
        make(home / "source", now, home)
        make(home / "target", earlier, home)
        wanted = describe(home / "source")
        link_tree(home / "source", home / "target")
        assert describe(home / "target") == wanted
        assert describe(home / "source") == wanted
        for name in ("file", "other file"):
            assert (home / name).read_text() == name
        remove(str(home / "source"))  # whatever modes its folders have
        assert describe(home / "target") == wanted


def test_a_file_that_is_the_same_is_not_touched(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/a").write_text("same")
    link_tree(tmp_path / "source", tmp_path / "target")
    changed = (tmp_path / "source/a").stat().st_ctime_ns
    link_tree(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "source/a").stat().st_ctime_ns == changed
    assert inodes_of(tmp_path / "target") == {"a": (tmp_path / "source/a").stat().st_ino}
