"""`store stage`: a copy of a container's data that is consistent, SQLite included, to pull from."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from . import params as p
from .commands import run_command
from .config import Commands, NodeConfig
from .durable import write_json
from .errors import Refused
from .generations import last_copy, new_copy, swap_in
from .linked import make_writable, remove, scan
from .manifest import Entry, Files, hash_file, make_entry
from .plain_copy import copy_owner, copy_plain
from .shelf import read_json
from .sources import find_source
from .sqlite_copy import copy_database, database_state, is_database, plain_state

MOST_SKIPPED = 1000
MEMO = "memo.json"


def store_stage(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"source", "texts"?: {name: text}} -> {"files", "bytes", "changed": int, "databases": int,
    "held": {path: why}, "bad": {path: why}, "skipped": [path], "after": text, "seconds"}.

    Copies a source (sources.py) into `stage/<source>/current/{tree,manifest.json}`, which is
    exported as `stage/<source>/tree` and `stage/<source>/manifest.json`. The new copy is made
    beside from hard links to the last one and swapped in by one rename; a reader of the last one
    keeps it until the run after. A database that fails its check is `held` at its last good copy,
    or left out as `bad` when there is none. Fifos, sockets and devices are `skipped`.
    The source's `before` command runs first, its `after` command whatever happened between; `after`
    says what went wrong with that one: what it should have started may be down.
    Raises Refused when the source is missing or empty: an unmounted disk is no empty container; and
    when `before` failed.
    """
    name = p.name(params, "source")
    home = config.state / "stage" / name
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.monotonic()
    with open(home / ".lock", "w", encoding="ascii") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another run stages {name}") from None
        source = find_source(config, name, p.mapping(params, "texts"))
        commands, after = config.source_commands.get(name, Commands()), ""
        try:
            if commands.before and (why := run_command(commands.before, commands.seconds)):
                raise Refused(f"{name} is not staged: {why}", "mend its before command")
            result = _Staging(source, home).run()
        finally:
            if commands.after:
                after = run_command(commands.after, commands.seconds)
    return {**result, "after": after, "seconds": round(time.monotonic() - started, 3)}


class _Staging:
    """One run: the source, the last staged copy, and the new one beside it."""

    def __init__(self, source: Path, home: Path) -> None:
        self.source, self.home = source, home
        self.last = last_copy(home)
        memo, manifest = (
            read_json(self.last / name) if self.last else {} for name in (MEMO, "manifest.json")
        )
        self.memo: dict[str, Any] = memo.get("states", {})
        self.old: Files = manifest.get("files", {})
        if not self.old:
            self.last = None  # what is in a copy without its manifest is not known
        self.old_folders: dict[str, Any] | None = memo.get("folders")
        self.files: Files = {}
        self.states: dict[str, Any] = {}
        self.inodes: dict[tuple[int, int], str] = {}  # the first path of each with more than one
        self.held: dict[str, str] = {}
        self.bad: dict[str, str] = {}
        self.skipped: list[str] = []
        self.changed = 0

    def run(self) -> dict[str, Any]:
        """Copy what changed beside what did not, and swap."""
        folders, listed = self._look()
        left = [(path, status) for path, status in listed if not self._keep(path, status)]
        databases = self._find_databases(left)
        sides = {path + end for path in databases for end in ("-wal", "-shm", "-journal")}
        left = [(path, status) for path, status in left if path not in sides]
        for path in sides:  # of what is a database only now
            self.files.pop(path, None)
            self.states.pop(path, None)
        if self._is_same(folders, left):
            return self._result(databases)
        self.tree = new_copy(self.home, self.last) / "tree"
        self._make_room(folders, {path for path, _ in left})
        for path, status in left:
            if path in databases:
                self._take_database(path)
            else:
                self._take(path, status)
        self.changed += len(self.old.keys() - self.files.keys())
        for folder in sorted(folders, reverse=True):  # last: writing into one changes its time
            shutil.copystat(self.source / folder, self.tree / folder)
        good = not self.held and not self.bad
        times = self._times(folders) if good else None  # opening a database touched its folder
        write_json(self.tree.parent / MEMO, {"states": self.states, "folders": times})
        swap_in(self.home, self.tree.parent, self.files)
        return self._result(databases)

    def _result(self, databases: set[str]) -> dict[str, Any]:
        return {
            "files": len(self.files),
            "bytes": sum(int(entry.get("size", 0)) for entry in self.files.values()),
            "changed": self.changed,
            "databases": len(databases),
            "held": self.held,
            "bad": self.bad,
            "skipped": self.skipped[:MOST_SKIPPED],
        }

    def _look(self) -> tuple[dict[str, Any], list[tuple[str, os.stat_result]]]:
        """(folder -> mode and time, the source itself among them; what may be copied)."""
        listed, folders = list[tuple[str, os.stat_result]](), [""]
        for path, entry in scan(self.source):
            status = entry.stat(follow_symlinks=False)
            if path.endswith("/"):
                folders.append(path)
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                listed.append((path, status))
            else:
                self.skipped.append(path)
        return self._times(folders), listed

    def _times(self, folders: Iterable[str]) -> dict[str, Any]:
        found = {}
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):  # vanished meanwhile
                status = os.lstat(self.source / folder)
                found[folder] = [status.st_mode, status.st_mtime_ns]
        return found

    def _find_databases(self, left: Iterable[tuple[str, os.stat_result]]) -> set[str]:
        """Those that are kept, and among what is left; what is no database and kept is not opened
        again."""
        found = {path for path, known in self.states.items() if known["database"]}
        for path, status in left:
            if stat.S_ISREG(status.st_mode) and is_database(self.source / path):
                found.add(path)
        return found

    def _is_same(self, folders: dict[str, Any], left: Collection[Any]) -> bool:
        """Whether nothing changed since the last copy, which is then good for this run too."""
        return folders == self.old_folders and not left and len(self.files) == len(self.old)

    def _keep(self, path: str, status: os.stat_result) -> bool:
        """Whether the source has not changed since the last copy, whose link is kept then."""
        if stat.S_ISLNK(status.st_mode):
            return self._keep_link(path, status)
        known, old = self.memo.get(path), self.old.get(path)
        if not known or not old or "sha256" not in old:
            return False
        is_database = bool(known["database"])
        state = database_state(self.source / path) if is_database else plain_state(status)
        if known["state"] != state:
            return False
        if status.st_nlink > 1:
            self.inodes.setdefault((status.st_dev, status.st_ino), path)
        self.files[path], self.states[path] = old, known
        return True

    def _keep_link(self, path: str, status: os.stat_result) -> bool:
        entry: Entry = {"link": os.readlink(self.source / path)}
        if not self.last or self.old.get(path) != entry:
            return False
        if os.lstat(self.last / "tree" / path).st_mtime_ns != status.st_mtime_ns:
            return False
        self.files[path] = entry
        return True

    def _make_room(self, folders: Collection[str], left: Collection[str]) -> None:
        """Take out of the new tree what is not kept, and make the folders that it lacks.

        What is `left` to copy must not be there: it would be copied into a file of the last copy.
        """
        for folder in ["", *(path for path, _ in scan(self.tree) if path.endswith("/"))]:
            if folder and folder not in folders:
                remove(f"{self.tree}/{folder}".rstrip("/"))
            else:
                make_writable(f"{self.tree}/{folder}")
        for path in {*self.old, *left} - self.files.keys():
            remove(f"{self.tree}/{path}")
        for folder in folders:
            os.makedirs(self.tree / folder, exist_ok=True)

    def _take(self, path: str, status: os.stat_result) -> None:
        target = self.tree / path
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(self.source / path), target)
            shutil.copystat(self.source / path, target, follow_symlinks=False)
            self.files[path] = {"link": os.readlink(target)}
            self.changed += self.old.get(path) != self.files[path]
        elif not self._link_again(path, status):
            state = copy_plain(self.source / path, target)
            if state is not None:
                self._record(path, target, {"database": False, "state": state})

    def _link_again(self, path: str, status: os.stat_result) -> bool:
        """Make one file of two paths that are one file at the source."""
        if status.st_nlink < 2:
            return False
        first = self.inodes.setdefault((status.st_dev, status.st_ino), path)
        if first == path or first not in self.states:
            return False
        try:
            state = plain_state(os.lstat(self.source / path))
        except FileNotFoundError:
            return False
        if self.states[first]["state"] != state:  # written, or replaced, since the first was copied
            return False
        os.link(self.tree / first, self.tree / path)
        self.changed += self.old.get(path) != self.files[first]
        self.files[path], self.states[path] = self.files[first], self.states[first]
        return True

    def _take_database(self, path: str) -> None:
        target, state = self.tree / path, database_state(self.source / path)
        complaint = copy_database(self.source / path, target)
        if not complaint:
            copy_owner(self.source / path, target)
            self._record(path, target, {"database": True, "state": state})
            return
        target.unlink(missing_ok=True)
        if self.last and "sha256" in self.old.get(path, {}):
            os.link(self.last / "tree" / path, target)
            self.files[path] = self.old[path]
            self.held[path] = complaint
        else:
            self.bad[path] = complaint

    def _record(self, path: str, target: Path, memo: dict[str, Any]) -> None:
        entry: Entry = make_entry(hash_file(target), os.lstat(target))
        self.changed += self.old.get(path) != entry
        self.files[path], self.states[path] = entry, memo
