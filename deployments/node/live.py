"""Reading and writing a live workspace: file by file, and never through a symlink.

Every path is walked with open folders (openat, O_NOFOLLOW), so a link that appears while we work
cannot lead a write out of the workspace.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import Failed
from .manifest import CHUNK

TEMPORARY = ".joe-"  # the patterns never take a file of this name for memory


class InTheWay(Exception):
    """This one path cannot be read or written as asked; the reason is the message."""


class Workspace:
    """One agent's folder on this machine; made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self.touched: set[str] = set()

    def close(self) -> None:
        os.close(self.descriptor)

    @contextlib.contextmanager
    def _folder(self, inside: str, make: bool = False) -> Iterator[int]:
        """The open folder of a path; raises InTheWay when one above it is no real folder."""
        descriptor = os.dup(self.descriptor)
        try:
            for name in filter(None, inside.split("/")[:-1]):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=descriptor)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                below = os.open(name, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        except NotADirectoryError:
            raise InTheWay("a file or a symlink lies where a folder should be") from None
        except PermissionError as error:
            raise InTheWay(f"this user may not: {error.strerror}") from None
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def open(self, inside: str) -> Iterator[BinaryIO]:
        """A plain file for reading. Raises FileNotFoundError, or InTheWay for anything else."""
        with self._folder(inside) as folder:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                descriptor = os.open(os.path.basename(inside), flags, dir_fd=folder)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise InTheWay(f"cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InTheWay("is no plain file")
        with open(descriptor, "rb") as stream:
            yield stream

    def read(self, inside: str) -> bytes:
        """The content of a plain file."""
        with self.open(inside) as stream:
            return stream.read()

    def hash(self, inside: str) -> str:
        """sha256 of a plain file, "" when there is none. Raises InTheWay."""
        digest = hashlib.sha256()
        try:
            with self.open(inside) as stream:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            return ""
        return digest.hexdigest()

    def replace(self, inside: str, source: BinaryIO, was: str, becomes: str, mtime: int) -> None:
        """Write a file beside, check it, rename it; folders are synced by `sync`.

        `was`: the hash that the file must still have ("" for none): nobody else wrote meanwhile.
        Raises InTheWay; Failed when the source is not what its manifest says (it rotted).
        """
        self._expect(inside, was)
        temporary = f"{TEMPORARY}{os.getpid()}"
        with self._folder(inside, make=True) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with open(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as target:
                if _copy(source, target) != becomes:
                    os.unlink(temporary, dir_fd=folder)
                    raise Failed(f"{inside} in the store is not what its manifest says")
                target.flush()
                os.fsync(target.fileno())
                os.utime(target.fileno(), ns=(mtime, mtime))
            try:
                os.rename(temporary, os.path.basename(inside), src_dir_fd=folder, dst_dir_fd=folder)
            except IsADirectoryError:
                os.unlink(temporary, dir_fd=folder)
                raise InTheWay("a folder lies where the file should be") from None
        self.touched.add(os.path.dirname(inside))

    def remove(self, inside: str, was: str) -> None:
        """Delete a file that still has the hash `was`, and the folders that are empty then."""
        self._expect(inside, was)
        with self._folder(inside) as folder:
            os.unlink(os.path.basename(inside), dir_fd=folder)
        self.touched.add(os.path.dirname(inside))
        above = os.path.dirname(inside)
        while above and above != "memory":
            with self._folder(above) as folder:
                try:
                    os.rmdir(os.path.basename(above), dir_fd=folder)
                except OSError:
                    return  # not empty
            self.touched.discard(above)
            above = os.path.dirname(above)
            self.touched.add(above)

    def _expect(self, inside: str, was: str) -> None:
        try:
            now = self.hash(inside)
        except InTheWay as error:
            if was:
                raise
            raise InTheWay(f"something lies in the way: {error}") from None
        if now != was:
            raise InTheWay("was changed by somebody else while memory was being applied")

    def sync(self) -> None:
        """Have the folders' entries on disk."""
        for inside in self.touched:
            with contextlib.suppress(FileNotFoundError), self._folder(f"{inside}/x") as folder:
                os.fsync(folder)
        os.fsync(self.descriptor)
        self.touched.clear()

    def remove_leftovers(self, folders: set[str]) -> None:
        """Delete half-written files of a run that was killed."""
        for inside in folders:
            with contextlib.suppress(OSError, InTheWay), self._folder(f"{inside}/x") as folder:
                for name in os.listdir(folder):
                    if name.startswith(TEMPORARY):
                        os.unlink(name, dir_fd=folder)


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()
