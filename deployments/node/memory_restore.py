"""`memory restore`: bring files of a snapshot back, into the live workspaces or a folder beside."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .durable import locked
from .errors import BadInput, Failed, Refused
from .live import InTheWay
from .manifest import Entry, Files, read_manifest, verify
from .own import Own, snapshot_own
from .record import load_record
from .shelf import Shelf, lock, open_shelf

DIFF_LINES, MOST_DIFFS, MOST_LISTED = 60, 40, 1000


def memory_restore(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"snapshot": id, "only"?: <agent>[/<path>], "target"?: absolute folder, "dry_run"?: bool}
    -> {"changes": [{"path", "diff"}], "changed": int, "same": int, "own": id or null,
    "refused": [{"path", "why"}], "files": int, "seconds"}.

    Without `target` the live memory of this node, the holder, gets those files as they were in the
    snapshot; what only the live memory has stays. All of it is first put into a snapshot ("own")
    that is pinned for 30 days. With `target`, which must be empty or missing, they are copied
    there. `dry_run` changes nothing; each change comes with its diff, of text and cut when long.
    Raises BadInput when the snapshot has nothing of that name; Refused while a gateway runs here,
    on a node that is not the holder, and for a folder that is not empty; Failed for a snapshot that
    rotted.
    """
    snapshot, only = p.snapshot(params, "snapshot"), p.text(params, "only").strip("/")
    target, dry_run = p.text(params, "target"), p.flag(params, "dry_run")
    shelf, started = open_shelf(config, "memory"), time.monotonic()
    with lock(shelf):
        files = choose(shelf, snapshot, only)
        tree = shelf.snaps / snapshot / "tree"
        if target:
            result = copy_beside(files, tree, Path(target), dry_run)
        else:
            result = _Restoring(config, shelf, snapshot, files).run(dry_run)
    return {**result, "files": len(files), "seconds": round(time.monotonic() - started, 3)}


def choose(shelf: Shelf, snapshot: str, only: str) -> Files:
    """The files of a snapshot that are wanted, once it was hashed again."""
    folder = shelf.snapshot(snapshot)
    if wrong := verify(folder):
        raise Failed(f"snapshot {snapshot} rotted: {', '.join(wrong[:5])}", "take another one")
    everything: Files = read_manifest(folder / "manifest.json")["files"]
    files = {
        path: entry
        for path, entry in everything.items()
        if not only or path == only or path.startswith(f"{only}/")
    }
    if not files:
        agents = ", ".join(sorted({path.partition("/")[0] for path in everything}))
        raise BadInput(f"snapshot {snapshot} has no {only}", f"it has the agents {agents}")
    return files


def copy_beside(files: Files, tree: Path, target: Path, dry_run: bool) -> dict[str, Any]:
    """The files as they were, in a folder that is nobody's workspace."""
    if not target.is_absolute():
        raise BadInput(f'"target" must be an absolute path, not {target}')
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is there and is not empty", "name a folder that is not there yet")
    for path in () if dry_run else files:
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_bytes((tree / path).read_bytes())
        os.utime(place, ns=(files[path]["mtime"], files[path]["mtime"]))
    listed = [{"path": path, "diff": ""} for path in sorted(files)[:MOST_LISTED]]
    return {"changes": listed, "changed": len(files), "same": 0, "own": None, "refused": []}


class _Restoring:
    """One restore into the live workspaces."""

    def __init__(self, config: NodeConfig, shelf: Shelf, snapshot: str, files: Files) -> None:
        self.config, self.shelf, self.snapshot, self.files = config, shelf, snapshot, files
        self.tree = shelf.snaps / snapshot / "tree"
        record = load_record(config)
        if record is None or record.holder != config.name:
            holder = record.holder if record else "nobody"
            raise Refused(f"{holder} is the holder: what is restored here would be overwritten")
        self.epoch = record.epoch

    def run(self, dry_run: bool) -> dict[str, Any]:
        """Compare, preserve, write and read back."""
        from . import gateway

        own = Own(self.config, {path.partition("/")[0] for path in self.files})
        try:
            wanted = own.allowed(self.files)
            changed = sorted(
                path for path, entry in wanted.items() if own.hashes.get(path) != entry["sha256"]
            )
            shown = [{"path": path, "diff": self._diff(own, path)} for path in changed[:MOST_DIFFS]]
            shown += [{"path": path, "diff": ""} for path in changed[MOST_DIFFS:MOST_LISTED]]
            saved = None
            if not dry_run:
                with locked(self.config.run / "gateway.lock"):  # no gateway starts meanwhile
                    if gateway.is_serving(self.config):
                        raise Refused("a gateway runs here: it is to be drained first")
                    saved = self._write(own, wanted, changed)
            return {
                "changes": shown,
                "changed": len(changed),
                "same": len(wanted) - len(changed),
                "own": saved,
                "refused": [{"path": path, "why": why} for path, why in own.refused.items()],
            }
        finally:
            own.close()

    def _write(self, own: Own, wanted: Files, changed: list[str]) -> str | None:
        saved, _ = snapshot_own(
            self.shelf, self.config.name, own, {self.snapshot: self.files}, self.epoch, {}
        )
        for path in changed:
            try:
                self._replace(own, path, wanted[path])
            except InTheWay as error:
                own.refused[path] = str(error)
        for place in own.places.values():
            place.sync()
        for path in changed:
            place, inside = own.at(path)
            if path not in own.refused and place.hash(inside) != wanted[path]["sha256"]:
                raise Failed(f"{path} does not read back as it was written")
        return saved

    def _replace(self, own: Own, path: str, entry: Entry) -> None:
        place, inside = own.at(path)
        with open(self.tree / path, "rb") as source:
            was = own.hashes.get(path, "")
            place.replace(inside, source, was, entry["sha256"], time.time_ns())

    def _diff(self, own: Own, path: str) -> str:
        old = own.read(path) if path in own.hashes else b""
        return "\n".join(diff_lines(path, old, (self.tree / path).read_bytes()))


def diff_lines(path: str, old: bytes, new: bytes) -> Iterator[str]:
    """What a restore makes of a file, as a unified diff; what is no text is told by its size."""
    try:
        before, after = (data.decode().splitlines() for data in (old, new))
    except UnicodeDecodeError:
        yield f"{len(old)} bytes become {len(new)}"
        return
    lines = difflib.unified_diff(before, after, f"{path} (live)", path, lineterm="", n=1)
    for number, line in enumerate(lines):
        if number == DIFF_LINES:
            yield "..."
            return
        yield line[:300]
