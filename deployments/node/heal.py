"""`store heal`: put good content in the place of what rotted, in every snapshot that shares it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import Refused
from .farm import quarantine
from .holdings import Finding, as_faults, examine, find_places, hash_on_disk
from .offer import MOST_BYTES
from .papers import heal_paper
from .replace import Workshop
from .rotten import LISTED, Fault, key_of, read_rotten, write_rotten
from .scrub import SCRUB_LOCK, tree_faults
from .shelf import Shelf, lock, open_shelf
from .space import Size, fits, free_on, in_words
from .transfer import connection, make_rsync, peer_of, run_rsync

# Nothing but plain files; where they go is decided by their name and their content.
OFFERED = ("-rtpgo", "--numeric-ids", "--ignore-times", "--exclude=*/")

MOST_WANTED = 20_000
SAVE_SECONDS = 1.0


def store_heal(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store", "peer"?: machine whose `store offer` is to be taken, "deadline_seconds"?:
    1..21600 (240)} -> {"healed": [fault], "left": [fault], "count": faults left, "wanted":
    [sha256 that no file here has], "seconds"}; a fault as in `store scrub`.

    Good content is looked for in the other snapshots of this store, in what was pulled last, and in
    the peer's offer; it is hashed before it takes a place. A file is replaced by a rename in each
    snapshot, as one inode again: a run that is killed leaves old or new files, and the next one
    goes on. What is good by itself, or pruned, is forgotten; what is good nowhere stays named.
    Raises Refused while another run holds the store, or without room for what is offered; Failed
    when the peer cannot be read.
    """
    shelf, started = open_shelf(config, p.store(params)), time.monotonic()
    deadline = started + p.seconds(params, "deadline_seconds", 240, 21600)
    peer = peer_of(config, p.name(params, "peer")) if params.get("peer") else None
    with lock(shelf, name=SCRUB_LOCK) as descriptor:
        work = Workshop(shelf, deadline)
        # Before the first is healed: afterwards nobody could tell which links in .incoming are bad.
        quarantine(shelf, max(1.0, deadline - time.monotonic()))
        if peer:
            _require_room(shelf)
            with connection(config, peer) as link:
                seconds = max(1, int(deadline - time.monotonic()))
                argv = make_rsync(link, f"offer/{shelf.store}/", work.got, OFFERED, seconds)
                run_rsync(argv, deadline, descriptor)
        result = _Healing(shelf, work, deadline).run()
        work.clear()
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _require_room(shelf: Shelf) -> None:
    sizes = [int(fault["size"]) for fault in read_rotten(shelf)]
    largest = max(sizes, default=0)
    need = Size(min(sum(sizes), MOST_BYTES + largest) + largest, len(sizes))
    if not fits(need, free_on(shelf.folder)):
        raise Refused(f"there is no room to heal: {in_words(need.bytes)} are needed")


class _Healing:
    """One call: what was known to be rotten, and what is left of it."""

    def __init__(self, shelf: Shelf, work: Workshop, deadline: float) -> None:
        self.shelf, self.work, self.deadline = shelf, work, deadline
        self.faults = {key_of(fault): fault for fault in read_rotten(shelf)}
        self.healed: list[Fault] = []
        self.wanted: list[str] = []
        self.errors: dict[tuple[str, ...], str] = {}
        self.written = time.monotonic()

    def run(self) -> dict[str, Any]:
        """Documents first: only what a manifest says can be healed."""
        try:
            self._documents()
            self._links_and_extras()
            self._files()
        finally:
            self._write()
        left = [
            {**fault, "why": "; ".join(filter(None, (fault["why"], self.errors.get(key))))}
            for key, fault in self.faults.items()
        ]
        return {
            "healed": self.healed[:LISTED],
            "left": left[:LISTED],
            "count": len(left),
            "wanted": self.wanted[:MOST_WANTED],
        }

    def _settle(self, old: Iterable[Fault], new: Iterable[Fault], *, healed: bool) -> None:
        """Of these faults only `new` is left; on disk a second later at the latest.

        What is still listed there after a kill, and good, is forgotten by the next run.
        """
        gone = {key_of(one): one for one in old}
        for one in new:
            since = gone.pop(key_of(one), one)["since"]
            self.faults[key_of(one)] = {**one, "since": since}
        for key, fault in gone.items():
            self.faults.pop(key, None)
            if healed:
                self.healed.append(fault)
        if time.monotonic() - self.written >= SAVE_SECONDS:
            self._write()

    def _write(self) -> None:
        write_rotten(self.shelf, self.faults.values())
        self.written = time.monotonic()

    def _of(self, *kinds: str) -> list[Fault]:
        return [one for one in self.faults.values() if one["kind"] in kinds]

    def _documents(self) -> None:
        for fault in self._of("manifest", "about"):
            done = heal_paper(self.shelf, fault["snapshots"][0], self.work)
            if done != "bad":
                self._settle([fault], [], healed=done == "healed")

    def _links_and_extras(self) -> None:
        for snapshot in sorted({one["snapshots"][0] for one in self._of("link", "extra")}):
            old = [one for one in self._of("link", "extra") if one["snapshots"] == [snapshot]]
            now = tree_faults(self.shelf, snapshot)
            self._settle(old, now, healed=False)
            links = [one for one in now if one["kind"] == "link"]
            for fault in links:
                with self._told(fault):
                    self.work.put_link(snapshot, fault["path"])
            if links:
                self._settle(links, tree_faults(self.shelf, snapshot), healed=True)

    def _files(self) -> None:
        wanted = {str(one["sha256"]) for one in self._of("file")}
        ruined = {one["snapshots"][0] for one in self._of("manifest")}
        places = find_places(self.shelf, wanted.__contains__).places
        # What was just brought comes first, so that a deadline is no reason to bring it again.
        for digest in sorted(wanted, key=lambda one: (not (self.work.got / one).exists(), one)):
            if time.monotonic() >= self.deadline:
                break
            old = [one for one in self._of("file") if one["sha256"] == digest]
            if digest not in places and any(ruined & set(one["snapshots"]) for one in old):
                continue  # its manifest is not readable now: not known, so not forgotten
            finding = examine(self.shelf, digest, places.get(digest, []))
            now = as_faults(digest, finding)
            self._settle(old, now, healed=False)
            if not finding.bad:
                continue
            known = {(one["path"], snapshot) for one in old for snapshot in one["snapshots"]}
            if {(one["path"], snapshot) for one in now for snapshot in one["snapshots"]} - known:
                self._write()
                quarantine(self.shelf, max(1.0, self.deadline - time.monotonic()))
            source = self._find_good(digest, finding)
            if source is None:
                self.wanted.append(digest)
            else:
                self._replace(digest, finding, source, places[digest])

    def _replace(self, digest: str, finding: Finding, source: Path, places: list[Any]) -> None:
        old = as_faults(digest, finding)
        for group in finding.bad:
            with self._told(*old):
                self.work.replace(group, digest, source)
        now = as_faults(digest, examine(self.shelf, digest, places))
        self._settle(old, now, healed=True)

    @contextlib.contextmanager
    def _told(self, *faults: Fault) -> Iterator[None]:
        """What one file costs, a full disk or a folder that is none, keeps no other from it."""
        try:
            yield
        except OSError as error:
            said = f"not healed: {error.strerror}"
            self.errors.update({key_of(fault): said for fault in faults})

    def _find_good(self, digest: str, finding: Finding) -> Path | None:
        if finding.good:
            return finding.good
        paths = {place.path for group in finding.bad for place in group.places}
        candidates = [self.shelf.tree / path for path in sorted(paths)]
        for file in [*candidates, self.work.got / digest]:
            try:
                if stat.S_ISREG(os.lstat(file).st_mode) and hash_on_disk(file) == digest:
                    return file
            except OSError:
                continue
        return None
