"""Replacing files of published snapshots, so that a crash leaves the old or the new ones whole.

A rename changes its folder's time, and one that nobody may write must be opened for it: what a
folder was is written down first, and set back by the next run when this one is killed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from .durable import sync_folder, write_json
from .errors import Failed
from .holdings import Group
from .manifest import CHUNK, read_manifest
from .shelf import Shelf, lock, read_json
from .space import Size, fits, free_on

WORKSHOP = ".heal"
LEAST_WAIT_SECONDS = 1.0


class Workshop:
    """The folder beside the snapshots in which files are made; nothing half lies anywhere else."""

    def __init__(self, shelf: Shelf, deadline: float) -> None:
        self.shelf, self.deadline = shelf, deadline
        self.folder = shelf.folder / WORKSHOP
        self.got = self.folder / "got"
        self.got.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._memo = self.folder / "folder.json"
        self._set_back()
        self.clear()

    def clear(self) -> None:
        """Remove all that was made or brought."""
        for folder in (self.got, self.folder):
            for entry in list(os.scandir(folder)):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)

    def replace(self, group: Group, digest: str, source: Path) -> None:
        """Put the content of `source` in all places of a group, as one inode.

        Nothing is done unless it has that sha256; a place that is no longer what was read is left
        alone. Raises OSError when it cannot be done, or there is no room.
        """
        if not fits(Size(int(group.places[-1].entry["size"]), 1), free_on(self.folder)):
            raise OSError(errno.ENOSPC, "there is no room for a copy")
        made = self.folder / "new"
        made.unlink(missing_ok=True)
        if not self._make(made, group, digest, source):
            return
        with self._held():  # no prune, no fetch
            for place in group.places:
                folder = self.shelf.snaps / place.snapshot
                if (folder / "manifest.json").is_file():
                    self._link(made, folder / "tree", place.path, group.status)
            for folder in self.shelf.rejected.iterdir():  # a person may accept it
                for path in {place.path for place in group.places} if group.status else ():
                    self._link(made, folder / "tree", path, group.status)
        made.unlink()

    def put_link(self, snapshot: str, path: str) -> None:
        """Make a symlink of a snapshot what its manifest says."""
        with self._held():
            folder = self.shelf.snaps / snapshot
            if folder.is_dir():
                target = read_manifest(folder / "manifest.json")["files"][path]["link"]
                beside = self.folder / "link"
                beside.unlink(missing_ok=True)
                os.symlink(target, beside)
                self._rename(beside, folder / "tree", folder / "tree" / path)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        left = self.deadline - time.monotonic()
        with lock(self.shelf, max(LEAST_WAIT_SECONDS, left)):
            yield

    def _make(self, made: Path, group: Group, digest: str, source: Path) -> bool:
        """A copy with the mode and time of the newest manifest and the owner of the old file."""
        entry = group.places[-1].entry
        found = hashlib.sha256()
        with (
            open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as old,
            open(made, "xb") as new,
        ):
            while chunk := old.read(CHUNK):
                found.update(chunk)
                new.write(chunk)
            if found.hexdigest() != digest:
                return False
            new.flush()
            if os.geteuid() == 0:
                owner = group.status or os.fstat(old.fileno())
                os.fchown(new.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(new.fileno(), int(entry["mode"]))
            os.utime(new.fileno(), ns=(int(entry["mtime"]), int(entry["mtime"])))
            os.fsync(new.fileno())
        return True

    def _link(self, made: Path, tree: Path, path: str, was: os.stat_result | None) -> None:
        """Only where the file that was read still is, or is still missing."""
        file, now = tree / path, None
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            now = os.lstat(file)
        if os.path.samestat(now, was) if now and was else now is was:
            beside = self.folder / "link"
            beside.unlink(missing_ok=True)
            os.link(made, beside)
            self._rename(beside, tree, file)

    def _rename(self, beside: Path, tree: Path, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        inside = Path(os.path.realpath(tree)) / file.parent.relative_to(tree)
        if os.path.realpath(file.parent) != str(inside):
            raise Failed(f"{file.parent} is not inside of its snapshot")
        with self._folder_kept(file.parent):
            os.rename(beside, file)
            sync_folder(file.parent)

    @contextlib.contextmanager
    def _folder_kept(self, folder: Path) -> Iterator[None]:
        """Mode and times of a folder are the same afterwards, now or after the next start."""
        status = os.lstat(folder)
        inside = folder.relative_to(self.shelf.folder)
        times = [status.st_atime_ns, status.st_mtime_ns]
        mode = stat.S_IMODE(status.st_mode)
        write_json(self._memo, {"folder": str(inside), "mode": mode, "times": times})
        try:
            if not os.access(folder, os.W_OK | os.X_OK):
                os.chmod(folder, mode | stat.S_IRWXU)
            yield
        finally:
            self._set_back()

    def _set_back(self) -> None:
        memo = read_json(self._memo)
        if memo:
            folder = self.shelf.folder / str(memo["folder"])
            if folder.is_dir():
                os.utime(folder, ns=(memo["times"][0], memo["times"][1]))
                os.chmod(folder, memo["mode"])
        self._memo.unlink(missing_ok=True)
