"""Trees of hard links: one is made equal to another by touching only what differs."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .plain_copy import copy_folder, copy_link


def link_tree(source: Path, target: Path) -> None:
    """The same folders, with owners, modes and times, and every file of `source` as a hard link.

    `target` is a folder that is empty, or holds a tree of links that was made so earlier: what is
    the same there already stays. No file is ever written: what differs is another link.
    """
    pending, folders = [""], list[str]()
    while pending:
        folder = pending.pop()
        folders.append(folder)
        wanted, found = _entries(f"{source}/{folder}"), _entries(f"{target}/{folder}")
        for name in [name for name in found if not _is_same(wanted.get(name), found[name])]:
            make_writable(f"{target}/{folder}")
            remove(found.pop(name).path)
        for name, entry in wanted.items():
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{folder}{name}/")
            if name not in found:
                make_writable(f"{target}/{folder}")
                _make(entry, f"{target}/{folder}{name}")
    for folder in reversed(folders):  # inner ones first: a link made changes the time
        copy_folder(f"{source}/{folder}", f"{target}/{folder}")


def relink(source: Path, target: Path, touched: Sequence[str], gone: Iterable[str]) -> None:
    """Make of a tree of hard links one of links to `source`, which has these paths otherwise.

    `gone` is removed first; `touched` has a folder before what is in it. The owners, modes and
    times of folders are left as they are.
    """
    take_away(target, gone)
    for path in touched:
        wanted, found = f"{source}/{path}", f"{target}/{path}"
        mode = os.lstat(wanted).st_mode
        if stat.S_ISDIR(mode):
            os.makedirs(found, mode=0o700, exist_ok=True)
            continue
        make_writable(os.path.dirname(found))
        remove(found)
        if stat.S_ISLNK(mode):
            copy_link(wanted, found)
        else:
            os.link(wanted, found)


def take_away(tree: Path, gone: Iterable[str]) -> None:
    """Remove these paths below a tree, and nothing outside it, whatever the paths are."""
    for path in gone:
        parts = path.split("/")
        parents = ["/".join(parts[:end]) for end in range(len(parts))]
        odd = {"", ".", ".."}.intersection(parts)
        if odd or any((tree / one).is_symlink() or not (tree / one).is_dir() for one in parents):
            continue
        make_writable(str(tree / parents[-1]))
        remove(str(tree / path))


def outermost(paths: Collection[str]) -> set[str]:
    """Without those inside another one of them: they go with it."""
    return {path for path in paths if not _is_inside(path, paths)}


def _is_inside(path: str, others: Collection[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in others for end in range(1, len(parts)))


def only_tree(folder: Path) -> Path:
    """The `tree` of a folder, made when it is missing; all else in the folder is removed."""
    tree = folder / "tree"
    tree.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in set(os.listdir(folder)) - {tree.name}:
        remove(f"{folder}/{name}")
    return tree


def scan(tree: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Path and entry of everything below a tree; a folder's path ends in a slash and comes first.

    Sorted by name within each folder, and without a stat of any.
    """
    pending = [""]
    while pending:
        folder = pending.pop()
        for name, entry in sorted(_entries(f"{tree}/{folder}").items()):
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{folder}{name}/")
                yield f"{folder}{name}/", entry
            else:
                yield folder + name, entry


def inodes_of(tree: Path) -> dict[str, int]:
    """Path -> inode of everything below a tree, without a stat of any; a folder's path ends in a
    slash and comes before what is in it, and its inode counts as 0.
    """
    pending, inodes = [""], dict[str, int]()
    while pending:
        folder = pending.pop()
        with os.scandir(f"{tree}/{folder}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inodes[inner := f"{folder}{entry.name}/"] = 0
                    pending.append(inner)
                else:
                    inodes[folder + entry.name] = entry.inode()
    return inodes


def differing_inodes(inodes: Mapping[str, int], others: Mapping[str, int]) -> set[str]:
    """The paths that are in one of them alone, or are not the same file in both."""
    return {path for path, _ in inodes.items() ^ others.items()}


def make_writable(folder: str) -> None:
    """A backed up folder may be one that nobody may write."""
    if not os.access(folder, os.W_OK | os.X_OK):
        os.chmod(folder, 0o700)


def remove(path: str) -> None:
    """Remove a file, a link or a whole folder, whatever its mode; nothing is done if it is gone."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (IsADirectoryError, PermissionError):
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)


def _entries(folder: str) -> dict[str, os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def _is_same(wanted: os.DirEntry[str] | None, found: os.DirEntry[str]) -> bool:
    if wanted is None:
        return False
    if wanted.is_dir(follow_symlinks=False):
        return found.is_dir(follow_symlinks=False)
    if wanted.is_symlink():
        return found.is_symlink() and _told(wanted) == _told(found)
    return wanted.inode() == found.inode()


def _told(link: os.DirEntry[str]) -> tuple[str, int]:
    return os.readlink(link.path), link.stat(follow_symlinks=False).st_mtime_ns


def _make(entry: os.DirEntry[str], path: str) -> None:
    """A symlink is made anew: rsync sets the time of the one that is there."""
    if entry.is_dir(follow_symlinks=False):
        os.mkdir(path, 0o700)
    elif entry.is_symlink():
        copy_link(entry.path, path)
    else:
        os.link(entry.path, path)
