"""`store restore`: bring a backup back, whole or a part of it, into a folder of this machine."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import BadInput, Refused
from .linked import scan
from .manifest import Files, differing, hash_file, make_entry, read_manifest, size_of
from .pins import DAY_SECONDS, pin
from .plain_copy import copy_folder, copy_owner
from .shelf import Shelf, current_id, open_shelf
from .space import Size, fits, free_on, in_words

LISTED = 500


def store_restore(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "snapshot"?: id (the newest verified), "only"?: path in it, "target": absolute
    folder, "force"?: bool, "dry_run"?: bool} -> {"id", "files", "bytes", "paths": [path], "wrong":
    [path], "seconds"}.

    Copies with modes, times, links, hard links, and owners where this user may; then reads it all
    back: `wrong` are files that are not what the manifest says. `dry_run` only says what would
    come.
    Raises BadInput when the snapshot has nothing of that name; Refused when there is no verified
    snapshot, no room, or something in the folder already and no `force`: with it, files of the same
    name are replaced and the others stay.
    """
    shelf, started = open_shelf(config, p.store(params)), time.monotonic()
    target, force = Path(p.text(params, "target")), p.flag(params, "force")
    snapshot = p.optional_snapshot(params, "snapshot") or current_id(shelf)
    if snapshot is None:
        raise Refused(f"{shelf.store} has no verified snapshot")
    only = p.text(params, "only").strip("/")
    files = choose(shelf, snapshot, only)
    require_target(target, force)
    size = Size(size_of(files), len(files))
    require_space(target, size)
    wrong: list[str] = []
    if not p.flag(params, "dry_run"):
        pin(shelf, "restore", snapshot, time.time() + DAY_SECONDS)  # no run may prune it meanwhile
        copy(shelf.snaps / snapshot / "tree", files, target, only)
        wrong = differing(read_back(files, target), files)
    return {
        "id": snapshot,
        **size._asdict(),
        "paths": sorted(files)[:LISTED],
        "wrong": wrong[:LISTED],
        "seconds": round(time.monotonic() - started, 3),
    }


def choose(shelf: Shelf, snapshot: str, only: str) -> Files:
    """The files of a snapshot that are wanted."""
    everything: Files = read_manifest(shelf.snapshot(snapshot) / "manifest.json")["files"]
    files = {
        path: entry
        for path, entry in everything.items()
        if not only or path == only or path.startswith(f"{only}/")
    }
    if not files:
        tops = ", ".join(sorted({path.partition("/")[0] for path in everything})[:20])
        raise BadInput(f"snapshot {snapshot} has no {only}", f"at its top are {tops}")
    return files


def require_target(target: Path, force: bool) -> None:
    """Raises BadInput or Refused for a folder that nothing may be restored to."""
    if not target.is_absolute():
        raise BadInput(f'"target" must be an absolute path, not {str(target)!r}')
    if target.exists() and not target.is_dir():
        raise Refused(f"{target} is no folder")
    if target.is_dir() and any(target.iterdir()) and not force:
        raise Refused(f"{target} is not empty", "name an empty folder, or use force")


def require_space(target: Path, size: Size) -> None:
    """Raises Refused when so much does not fit where the target is, or will be."""
    above = next(folder for folder in (target, *target.parents) if folder.is_dir())
    if not fits(size, free_on(above)):
        free = in_words(free_on(above).bytes)
        raise Refused(f"there is no room: {in_words(size.bytes)} are needed, {free} are free")


def folders_of(tree: Path, only: str) -> list[str]:
    """The folders that are wanted, empty ones too, and those above them; outer ones first."""
    paths = [path.rstrip("/") for path, _ in scan(tree) if path.endswith("/")]
    if not only:
        return paths
    return [
        path
        for path in paths
        if f"{path}/".startswith(f"{only}/") or f"{only}/".startswith(f"{path}/")
    ]


def copy(tree: Path, files: Files, target: Path, only: str) -> None:
    """Files, links and folders, with owners, modes and times; with those of the tree itself when
    all of it comes to a new folder.
    """
    folders, is_new = folders_of(tree, only), not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        (target / folder).mkdir(exist_ok=True)
    made: dict[int, Path] = {}
    for path in files:
        place, inode = target / path, os.lstat(tree / path).st_ino
        if place.is_symlink() or place.exists():
            place.unlink()  # never written through: it could be a link to somewhere else
        if inode in made:  # two paths that were one file are one again
            os.link(made[inode], place, follow_symlinks=False)
            continue
        shutil.copy2(tree / path, place, follow_symlinks=False)
        copy_owner(tree / path, place)
        if "mode" in files[path]:  # the file is shared: a later pull may have set its mode
            place.chmod(files[path]["mode"])
        made[inode] = place
    for folder in reversed(folders):  # last: writing into one changes its time
        copy_folder(tree / folder, target / folder)
    if is_new and not only:
        copy_folder(tree, target)


def read_back(files: Files, target: Path) -> Files:
    """The same paths as they are now in the target."""
    found: Files = {}
    for path in files:
        place = target / path
        if place.is_symlink():
            found[path] = {"link": os.readlink(place)}
        else:
            found[path] = make_entry(hash_file(place), os.lstat(place))
    return found
