"""Accounts for every version of memory that any node ever wrote, by the ledger outside the homes.

Each written version ends in exactly one of these ways:
  live       a live file has its bytes
  recovered  a file below memory/recovered has its bytes or all its lines
  replaced   the agent itself wrote the next version on top of it (or of a merge that contains it)
  contained  the live file has all its lines, in order: an appended merge
  unfinished its writer was killed before the rename; the version before it must be found then
  lost       none of these; a snapshot is no excuse, nobody looks there
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

RECOVERED = "memory/recovered"


class Version(NamedTuple):
    """One version as its writer logged it.

    `was_live` is false when a kill came before the log of the rename: it may be live or not.
    """

    t: float
    node: str
    agent: str
    path: str
    sha256: str
    previous: str | None
    was_live: bool


@dataclass
class Account:
    """How many versions ended in which way; `in_snapshots` counts those a snapshot has, besides."""

    written: int = 0
    live: int = 0
    recovered: int = 0
    contained: int = 0
    replaced: int = 0
    unfinished: int = 0
    in_snapshots: int = 0
    lost: list[Version] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.written} versions written: {self.live} live, {self.contained} in a merge,"
            f" {self.recovered} recovered, {self.replaced} replaced by the agent itself,"
            f" {self.unfinished} unfinished, {len(self.lost)} lost"
            f" ({self.in_snapshots} are in snapshots as well)"
        )


def read_ledger(folder: Path) -> list[Version]:
    """Every version in the order in which it was kept; empty when none was written."""
    log = folder / "ledger.jsonl"
    versions: dict[tuple[str, ...], Version] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        entry = json.loads(line)
        was_live = entry.pop("event") == "live"
        key = (entry["node"], entry["agent"], entry["path"], entry["sha256"])
        # Entries carry random digits, so a writer never writes the same bytes twice.
        versions[key] = versions.get(key, Version(was_live=was_live, **entry))
        if was_live:
            versions[key] = versions[key]._replace(was_live=True)
    return list(versions.values())


def account(folder: Path, live: Mapping[str, Path], snapshots: Iterable[Path]) -> Account:
    """Follow every version of the ledger in `folder`.

    `live` is agent -> its workspace on the serving node; `snapshots` are folders of any layout
    (stores), walked for files with a version's bytes.
    """
    follower = _Follower(folder, {agent: _Place(workspace) for agent, workspace in live.items()})
    in_snapshots = _hashes(snapshots)
    found = Account(written=len(follower.versions))
    for version, ending in follower.endings():
        found.in_snapshots += version.sha256 in in_snapshots
        if ending == "lost":
            found.lost.append(version)
        else:
            setattr(found, ending, getattr(found, ending) + 1)
    return found


class _Place:
    """A live workspace: the bytes of its files by path, those in memory/recovered apart."""

    def __init__(self, workspace: Path) -> None:
        self.files: dict[str, bytes] = {}
        self.recovered: list[bytes] = []
        for file in sorted(workspace.rglob("*")):
            path = file.relative_to(workspace).as_posix()
            if file.is_file() and path.startswith(RECOVERED + "/"):
                self.recovered.append(file.read_bytes())
            elif file.is_file():
                self.files[path] = file.read_bytes()


class _Follower:
    """Finds how each version ended. Raises KeyError for an agent without a live workspace."""

    def __init__(self, folder: Path, places: Mapping[str, _Place]) -> None:
        self.folder, self.places = folder, places
        self.versions = read_ledger(folder)
        self._known = {version.sha256 for version in self.versions}
        self._later: dict[tuple[str, str], list[Version]] = {}  # that count as built upon

    def endings(self) -> list[tuple[Version, str]]:
        """Every version with its ending, the newest first: the older ones may rest on it."""
        found = []
        for version in reversed(self.versions):
            ending = self._ending(version)
            found.append((version, ending))
            # Killed before the rename and nowhere to be found: it replaced nothing.
            if ending != "unfinished":
                self._later.setdefault((version.agent, version.path), []).append(version)
        return found

    def _ending(self, version: Version) -> str:
        content = self._read(version.sha256)
        place = self.places[version.agent]
        now = place.files.get(version.path, b"")
        if now == content:
            return "live"
        if content in place.recovered:
            return "recovered"
        if self._was_built_upon(version, content):
            return "replaced"
        if contains(now, content):
            return "contained"
        if any(contains(file, content) for file in place.recovered):
            return "recovered"
        return "lost" if version.was_live else "unfinished"

    def _was_built_upon(self, version: Version, content: bytes) -> bool:
        """Whether an agent read this version, alone or in a merge, and wrote the next one on it."""
        for later in self._later.get((version.agent, version.path), ()):
            if later.previous == version.sha256:
                return True
            is_merge = later.previous is not None and later.previous not in self._known
            if is_merge and contains(self._read(str(later.previous)), content):
                return True
        return False

    def _read(self, sha256: str) -> bytes:
        return (self.folder / "versions" / sha256).read_bytes()


def contains(whole: bytes, part: bytes) -> bool:
    """Whether all lines of `part` stand in `whole`, in their order."""
    if not part.strip():
        return False
    lines = iter(whole.splitlines())
    return all(line in lines for line in part.splitlines())


def _hashes(folders: Iterable[Path]) -> set[str]:
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
