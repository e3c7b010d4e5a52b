"""`store stage`: a copy of a container's data that is consistent, SQLite included, to pull from."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

from . import params as p
from .commands import run_command
from .config import Commands, NodeConfig
from .durable import write_json
from .errors import Refused
from .generations import last_copy, new_copy, remove_old_copies, swap_in
from .manifest import Entry, Files, hash_file, make_entry, walk
from .shelf import read_json
from .sources import find_source
from .sqlite_copy import copy_database, database_state, is_database, plain_state

TRIES = 3
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
        memo = read_json(self.last / MEMO) if self.last else {}
        self.memo: dict[str, Any] = memo.get("states", {})
        self.old: Files = memo.get("files", {})
        self.old_folders: dict[str, Any] | None = memo.get("folders")
        self.made = new_copy(home)
        self.files: Files = {}
        self.states: dict[str, Any] = {}
        self.inodes: dict[tuple[int, int], str] = {}  # the first path of each at the source
        self.held: dict[str, str] = {}
        self.bad: dict[str, str] = {}
        self.skipped: list[str] = []
        self.changed = 0

    def run(self) -> dict[str, Any]:
        """Copy, swap, and remove the copies before the last one."""
        remove_old_copies(self.home, self.last)
        listed, folders = list(walk(self.source)), self._list_folders()
        databases = self._find_databases(listed)
        sides = {path + end for path in databases for end in ("-wal", "-shm", "-journal")}
        listed = [(path, status) for path, status in listed if path not in sides]
        if folders == self.old_folders and self._is_same(listed, databases):
            self.files = self.old
            return self._result(databases)
        (self.made / "tree").mkdir(parents=True, mode=0o700)
        for folder in folders:
            os.makedirs(self.made / "tree" / folder, exist_ok=True)
        for path, status in listed:
            if path in databases:
                self._take_database(path)
            else:
                self._take(path, status)
        self.changed += len(self.old.keys() - self.files.keys())
        for folder in sorted(folders, reverse=True):  # last: writing into one changes its time
            shutil.copystat(self.source / folder, self.made / "tree" / folder)
        good = not self.held and not self.bad
        after = self._list_folders()  # opening a database touched its folder
        times = {folder: after.get(folder) for folder in folders} if good else None
        memo = {"states": self.states, "files": self.files, "folders": times}
        write_json(self.made / MEMO, memo)
        swap_in(self.home, self.made, self.files)
        return self._result(databases)

    def _result(self, databases: set[str]) -> dict[str, Any]:
        return {
            "files": len(self.files),
            "bytes": sum(int(entry.get("size", 0)) for entry in self.files.values()),
            "changed": self.changed,
            "databases": len(databases),
            "held": self.held,
            "bad": self.bad,
            "skipped": self.skipped[:1000],
        }

    def _find_databases(self, listed: list[tuple[str, os.stat_result]]) -> set[str]:
        found = set()
        for path, status in listed:
            if not stat.S_ISREG(status.st_mode):
                continue
            known = self.memo.get(path)
            if known and not known["database"] and known["state"] == plain_state(status):
                continue  # it was no database and is the same file: not opened again
            if is_database(self.source / path):
                found.add(path)
        return found

    def _list_folders(self) -> dict[str, Any]:
        """Path -> mode and time of each folder, the source itself among them."""
        found = {}
        for folder, _, _ in os.walk(self.source):
            status = os.lstat(folder)
            found[os.path.relpath(folder, self.source)] = [status.st_mode, status.st_mtime_ns]
        return found

    def _is_same(self, listed: list[tuple[str, os.stat_result]], databases: set[str]) -> bool:
        """Whether nothing changed since the last copy, which is then good for this run too."""
        for path, status in listed:
            if stat.S_ISREG(status.st_mode):
                is_database = path in databases
                state = database_state(self.source / path) if is_database else plain_state(status)
                if self.memo.get(path) != {"database": is_database, "state": state}:
                    return False
            elif stat.S_ISLNK(status.st_mode):
                if self.old.get(path) != {"link": os.readlink(self.source / path)}:
                    return False
            else:
                self.skipped.append(path)
        return len(listed) - len(self.skipped) == len(self.old)

    def _keep(self, path: str, database: bool, state: Any) -> bool:
        """Link the last copy when the source has not changed since."""
        known, old = self.memo.get(path), self.old.get(path)
        if not self.last or not known or not old or known["state"] != state:
            return False
        if known["database"] != database or "sha256" not in old:
            return False
        os.link(self.last / "tree" / path, self.made / "tree" / path)
        self.files[path], self.states[path] = old, known
        return True

    def _take(self, path: str, status: os.stat_result) -> None:
        target = self.made / "tree" / path
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(self.source / path), target)
            shutil.copystat(self.source / path, target, follow_symlinks=False)
            self.files[path] = {"link": os.readlink(target)}
            self.changed += self.old.get(path) != self.files[path]
        elif not stat.S_ISREG(status.st_mode):
            self.skipped.append(path)
        elif not self._link_again(path, status) and not self._keep(
            path, False, plain_state(status)
        ):
            self._copy(path, target)

    def _link_again(self, path: str, status: os.stat_result) -> bool:
        """Make one file of two paths that are one file at the source."""
        first = self.inodes.setdefault((status.st_dev, status.st_ino), path)
        if status.st_nlink < 2 or first == path or first not in self.states:
            return False
        try:
            state = plain_state(os.lstat(self.source / path))
        except FileNotFoundError:
            return False
        if self.states[first]["state"] != state:  # written, or replaced, since the first was copied
            return False
        os.link(self.made / "tree" / first, self.made / "tree" / path)
        self.changed += self.old.get(path) != self.files[first]
        self.files[path], self.states[path] = self.files[first], self.states[first]
        return True

    def _copy(self, path: str, target: Path) -> None:
        """Copy until the file did not change under the copy (a few times at most)."""
        for _ in range(TRIES):
            try:
                state = plain_state(os.lstat(self.source / path))
                shutil.copyfile(self.source / path, target, follow_symlinks=False)
                shutil.copystat(self.source / path, target, follow_symlinks=False)
                copy_owner(self.source / path, target)
                if plain_state(os.lstat(self.source / path)) == state:
                    break
            except FileNotFoundError:  # vanished meanwhile
                target.unlink(missing_ok=True)
                return
        self._record(path, target, {"database": False, "state": state})

    def _take_database(self, path: str) -> None:
        target = self.made / "tree" / path
        state = database_state(self.source / path)
        if self._keep(path, True, state):
            return
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


def copy_owner(source: Path, target: Path) -> None:
    """Keep the owner's numbers where this user may."""
    if os.geteuid() == 0:
        status = os.lstat(source)
        os.lchown(target, status.st_uid, status.st_gid)
