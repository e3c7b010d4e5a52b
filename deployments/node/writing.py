"""Carrying out a merge's plan in the live workspaces, in an order that a crash may cut anywhere."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable
from typing import BinaryIO

from .errors import Failed
from .live import InTheWay
from .manifest import Files
from .merge import Plan
from .own import Own


class Writing:
    """Carry out a plan: copies first, deletions last, so that a crash leaves each version once."""

    def __init__(self, own: Own, plan: Plan, theirs: Files, tree: os.PathLike[str]) -> None:
        self.own, self.plan, self.theirs, self.tree = own, plan, theirs, tree
        self.written: dict[str, str] = {}

    def run(self) -> None:
        """Raises Failed when something does not read back as it was written."""
        appended = set(self.plan.appended)
        self._all(self._write, [path for path in self.plan.write if path not in appended])
        for path, copy in self.plan.conflicts.items():
            if copy in self.own.refused:  # without its copy the original must stay
                self.own.refused[path] = f"its copy {copy} cannot be written"
        later = self._blocked(self.plan.take)
        self._all(self._take, [path for path in self.plan.take if path not in later])
        self._all(self._write, self.plan.appended)
        self._all(self._remove, self.plan.remove)
        self._all(self._take, sorted(later))
        for path, digest in self.written.items():
            place, inside = self.own.at(path)
            if place.hash(inside) != digest:
                raise Failed(f"{path} does not read back as it was written")

    def _all(self, act: Callable[[str], None], paths: Iterable[str]) -> None:
        for path in paths:
            if path in self.own.refused:
                continue
            try:
                act(path)
            except InTheWay as error:
                self.own.refused[path] = str(error)
        for place in self.own.places.values():
            place.sync()

    def _blocked(self, paths: Iterable[str]) -> set[str]:
        """Files where a folder is now that will be empty, or below what is a file now."""
        removed = self.plan.remove
        return {
            path
            for path in paths
            if any(one.startswith(path + "/") or path.startswith(one + "/") for one in removed)
        }

    def _take(self, path: str) -> None:
        entry = self.theirs[path]
        with open(os.path.join(self.tree, path), "rb") as source:
            self._replace(path, source, entry["sha256"], entry["mtime"])

    def _write(self, path: str) -> None:
        content = self.plan.write[path]
        digest = hashlib.sha256(content).hexdigest()
        self._replace(path, io.BytesIO(content), digest, time.time_ns())

    def _replace(self, path: str, source: BinaryIO, digest: str, mtime: int) -> None:
        place, inside = self.own.at(path)
        place.replace(inside, source, self.own.hashes.get(path, ""), digest, mtime)
        self.written[path] = digest

    def _remove(self, path: str) -> None:
        place, inside = self.own.at(path)
        place.remove(inside, self.own.hashes[path])
