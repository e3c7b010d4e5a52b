"""The rsync runs of one pull: over one connection, again until the source stood still."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import Failed
from .rsync_output import Pass
from .shelf import Shelf
from .space import Size
from .transfer import NAMED, Link, make_rsync, run_rsync

MAX_PASSES = 5


@dataclass(frozen=True)
class Passes:
    """The last pass over each part, the parts that never stood still, and over all passes: items
    changed and rounds made.
    """

    last: Mapping[str, Pass]
    moving: frozenset[str]
    changed: int
    count: int


class Run:
    """One pull: the connection, options, deadline and lock that its rsync runs share.

    `meanwhile` is done once, while the first of them is at work.
    """

    def __init__(self, link: Link, options: tuple[str, ...], deadline: float, lock: int) -> None:
        self.link, self.options, self.deadline, self.lock = link, options, deadline, lock
        self.meanwhile: Callable[[], None] | None = None

    def _rsync(
        self, export: str, target: Path, options: tuple[str, ...], names: Sequence[str] = ()
    ) -> Pass:
        left = max(1, int(self.deadline - time.monotonic()))
        argv = make_rsync(self.link, export, target, options, left)
        meanwhile, self.meanwhile = self.meanwhile, None
        return run_rsync(argv, self.deadline, self.lock, names, meanwhile)

    def file(self, export: str, target: Path) -> None:
        """Pull one file."""
        if self._rsync(export, target, ("-t",)).vanished or not target.is_file():
            raise Failed(f"{export} is not there")

    def folder(self, export: str, target: Path) -> Pass:
        """One pass over one export."""
        target.mkdir(parents=True, exist_ok=True)
        return self._rsync(export.rstrip("/") + "/", target, self.options)

    def named(self, export: str, target: Path, names: Sequence[str]) -> Pass:
        """These paths of one export alone, each of which must be there."""
        return self._rsync(export.rstrip("/") + "/", target, NAMED, names)

    def measure(self, shelf: Shelf, parts: Mapping[str, str]) -> Size:
        """What a pass over all parts would bring that is not there yet; nothing is written."""
        passes = [
            self._rsync(
                parts[part].rstrip("/") + "/", shelf.tree / part, ("--dry-run", *self.options)
            )
            for part in parts
        ]
        return Size(sum(one.new_bytes for one in passes), sum(one.new_files for one in passes))

    def until_settled(self, shelf: Shelf, parts: Mapping[str, str]) -> Passes:
        """Passes over each part until nothing was written in the middle of one.

        The peer says so itself, or a further pass finds nothing changed. What is staged or
        published is never written again: one pass is enough there.
        """
        last: dict[str, Pass] = {}
        left = sorted(parts)
        changed = count = 0
        while left and count < MAX_PASSES:
            count += 1
            for part in left:
                last[part] = self.folder(parts[part], shelf.tree / part)
                changed += last[part].changed
            left = [part for part in left if _may_move(parts[part], last[part])]
        if any(last[part].vanished for part in left):
            raise Failed(f"files vanished at the source in each of {MAX_PASSES} passes")
        return Passes(last, frozenset(left), changed, count)


def _may_move(export: str, last: Pass) -> bool:
    """Whether the source may have been written while this pass read it."""
    moves = export.startswith("memory/") and not last.settled
    return last.vanished or (moves and last.changed > 0)
