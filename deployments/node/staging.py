"""The files of one source as they are now, beside those of its last staged copy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .delta import compare_folders, make_delta, read_delta
from .durable import write_json
from .generations import MEMO, last_copy, new_copy, read_memo, swap_in, write_files
from .linked import make_writable, outermost, remove
from .look import FILE, LINK, has_names, inode_in, look, look_at, make_out, state_in
from .manifest import MANIFEST, Entry, Files, hash_file, make_entry, size_of
from .plain_copy import copy_folder, copy_link, copy_owner, copy_plain
from .shelf import read_json
from .sqlite_copy import copy_database, database_state, is_database, plain_state

MOST_SKIPPED = 1000
# Beside the manifest of each copy: its source as it was looked at (look.py).
LOOK = "look"


class Staging:
    """One run: the source, the last staged copy, and the new one beside it."""

    def __init__(self, source: Path, home: Path) -> None:
        self.source, self.home = source, home

    def _begin(self, last: Path | None) -> None:
        """What is known of the last copy; without one nothing is known of the source."""
        memo, self.seen = read_memo(last), b""
        with contextlib.suppress(FileNotFoundError):
            if last and "unsure" in memo:  # an earlier version did not write it
                self.seen = (last / LOOK).read_bytes()
        self.last, self.memo = (last, memo) if self.seen else (None, {})
        self.old_databases: dict[str, Any] = self.memo.get("databases", {})
        self.old_staged: dict[str, Any] = self.memo.get("staged", {})
        self.delta = read_delta(self.memo)
        self.old: Files = {}
        self.known: Mapping[str, str] = {}
        self.lines: dict[str, str] = {}
        self.databases: dict[str, Any] = {}
        # Of files with more than one name: what was copied, and the first name of each.
        self.states: dict[str, list[int]] = {}
        self.inodes: dict[tuple[str, str], str] = {}
        self.held: dict[str, str] = {}
        self.bad: dict[str, str] = {}
        self.changed = 0

    def run(self) -> dict[str, Any]:
        """Copy what changed beside what did not, and swap."""
        last = last_copy(self.home)
        seen = look(self.source, lambda: self._begin(last))
        same = self.memo.get("folders") or {}  # with their modes, times and owners
        if seen == self.seen and same and look_at(self.source, same) == same:
            self.skipped, self.found = self.memo["skipped"], set(self.old_databases)
            return self._result()
        there = make_out(seen)
        self.skipped, folders = there.others[:MOST_SKIPPED], there.folders
        if self.last:
            lines, unsure = make_out(self.seen).lines, set(self.memo["unsure"])
            self.known = {path: line for path, line in lines.items() if path not in unsure}
        left = self._keep(there.lines)
        gone = len(self.known) - len(self.lines) + len(self.old_databases) - len(self.databases)
        if self.last and not left and not gone and look_at(self.source, folders) == same:
            self._remember(self.last, seen, there.lines)  # what is beside a database may be other
            return self._result()
        self.old = read_json(self.last / MANIFEST).get("files", {}) if self.last else {}
        if not self.old or not {*self.lines, *self.databases} <= self.old.keys():
            self._begin(None)
            left = self._keep(there.lines)
        self._copy(folders, left)
        self._finish(folders)
        self._remember(self.tree.parent, seen, there.lines)
        swap_in(self.home, self.tree.parent)
        return self._result()

    def _copy(self, folders: Collection[str], left: Mapping[str, str]) -> None:
        """Make the new copy: what is left anew, all else as in the last one."""
        leaving = self.old.keys() - self.lines.keys() - self.databases.keys()
        self.files = {path: one for path, one in self.old.items() if path not in leaving}
        self.tree = new_copy(self.home, self.last, self.delta) / "tree"
        self._make_room(folders, {*leaving, *left})
        self._take_all(left)
        gone = leaving - self.files.keys()
        self.changed += len(gone)
        for folder in sorted(folders, reverse=True):  # last: writing into one changes its time
            with contextlib.suppress(FileNotFoundError):  # vanished meanwhile
                copy_folder(self.source / folder, self.tree / folder)
        self.staged = look_at(self.tree, folders)
        others, away = compare_folders(self.old_staged, self.staged)
        touched = others.union(path for path in left if path in self.files)
        self.delta = make_delta(self._since(left), touched, outermost({*away, *gone}))

    def _keep(self, lines: Mapping[str, str]) -> dict[str, str]:
        """Of what is there keep what has not changed; returns the lines of the rest, sorted.

        A database is judged by itself and its log together; what is no database and has not changed
        is not opened again.
        """
        for path, state in self.old_databases.items():
            if lines.get(path, "")[:1] == FILE and database_state(self.source / path) == state:
                self.databases[path] = state
        left = [
            path
            for path, line in lines.items()
            if self.known.get(path) != line and path not in self.databases
        ]
        new = (path for path in left if lines[path][0] == FILE)
        self.found = {*self.databases, *(one for one in new if is_database(self.source / one))}
        sides = {path + end for path in self.found for end in ("-wal", "-shm", "-journal")}
        away = {*left, *self.found, *sides}
        self.lines = {path: line for path, line in lines.items() if path not in away}
        return {path: lines[path] for path in sorted(left) if path not in sides}

    def _take_all(self, left: Mapping[str, str]) -> None:
        if any(map(has_names, left.values())):
            for path, line in self.lines.items():
                if has_names(line):
                    self.inodes.setdefault(inode_in(line), path)
                    self.states[path] = state_in(line)
        for path, line in left.items():
            if path in self.found:
                self._take_database(path)
            elif line[0] == LINK:
                self._take_link(path, line)
            else:
                self._take_file(path, line)

    def _finish(self, folders: Collection[str]) -> None:
        """Write the manifest, and what the next run must know of the copy."""
        good = not self.held and not self.bad
        self.memo = {
            "manifest": write_files(self.tree.parent, self.files, self.delta.state),
            "databases": self.databases,
            # Only now: opening a database touched its folder.
            "folders": look_at(self.source, folders) if good else None,
            "staged": self.staged,
            "files": len(self.files),
            "bytes": size_of(self.files),
            **self.delta.told(),
        }

    def _remember(self, copy: Path, seen: bytes, lines: Collection[str]) -> None:
        """Write down beside a copy how its source was seen; `unsure` is what is not copied so."""
        self.memo |= {"skipped": self.skipped, "unsure": sorted({*lines} - self.lines.keys())}
        (copy / LOOK).write_bytes(seen)
        write_json(copy / MEMO, self.memo)

    def _since(self, left: Mapping[str, str]) -> str:
        """The copy that the new one changes; none when that cannot be told by paths.

        Of two names of one file a pull of one of them would bring a second file.
        """
        return self.delta.state if self.last and not any(map(has_names, left.values())) else ""

    def _result(self) -> dict[str, Any]:
        return {
            "files": self.memo["files"],
            "bytes": self.memo["bytes"],
            "changed": self.changed,
            "databases": len(self.found),
            "held": self.held,
            "bad": self.bad,
            "skipped": self.skipped,
            **self.delta.told(),
        }

    def _make_room(self, folders: Collection[str], paths: Collection[str]) -> None:
        """Take these paths out of the new tree, and make the folders that it lacks.

        What is left to copy must not be there: it would be copied into a file of the last copy.
        """
        for folder in self.old_staged if self.last else [""]:
            if folder and folder not in folders:
                remove(f"{self.tree}/{folder}".rstrip("/"))
            elif os.path.isdir(f"{self.tree}/{folder}"):
                make_writable(f"{self.tree}/{folder}")
        for path in paths:
            remove(f"{self.tree}/{path}")
        for folder in folders:
            os.makedirs(self.tree / folder, exist_ok=True)

    def _take_link(self, path: str, line: str) -> None:
        target = self.tree / path
        try:
            copy_link(self.source / path, target)
        except FileNotFoundError:  # vanished meanwhile
            target.unlink(missing_ok=True)
            return
        self.files[path], self.lines[path] = {"link": os.readlink(target)}, line
        self.changed += self.old.get(path) != self.files[path]

    def _take_file(self, path: str, line: str) -> None:
        state = self._link_again(path, line)
        if state is None:
            state = copy_plain(self.source / path, self.tree / path)
            if state is None:
                return
            self._record(path)
        self.states[path] = state
        if state == state_in(line):  # else it was written since the look: it is copied again then
            self.lines[path] = line

    def _link_again(self, path: str, line: str) -> list[int] | None:
        """Make one file of two paths that are one file at the source; its state then."""
        first = self.inodes.setdefault(inode_in(line), path) if has_names(line) else path
        if first == path or first not in self.states:
            return None
        try:
            state = plain_state(os.lstat(self.source / path))
        except FileNotFoundError:
            return None
        if self.states[first] != state:  # written, or replaced, since the first was copied
            return None
        os.link(self.tree / first, self.tree / path)
        self.changed += self.old.get(path) != self.files[first]
        self.files[path] = self.files[first]
        return state

    def _take_database(self, path: str) -> None:
        target, state = self.tree / path, database_state(self.source / path)
        complaint = copy_database(self.source / path, target)
        if not complaint:
            copy_owner(self.source / path, target)
            self._record(path)
            self.databases[path] = state
            return
        target.unlink(missing_ok=True)
        if self.last and "sha256" in self.old.get(path, {}):
            os.link(self.last / "tree" / path, target)
            self.files[path] = self.old[path]
            self.held[path] = complaint
        else:
            self.bad[path] = complaint

    def _record(self, path: str) -> None:
        target = self.tree / path
        entry: Entry = make_entry(hash_file(target), os.lstat(target))
        self.changed += self.old.get(path) != entry
        self.files[path] = entry
