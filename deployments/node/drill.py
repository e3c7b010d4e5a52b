"""`store drill`: rehearse the restore of a container's newest backup, and look at the result."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import params as p
from .config import NodeConfig
from .durable import write_json
from .errors import Failed, Refused
from .manifest import differing, read_manifest, root_hash, size_of, take_files
from .pins import DAY_SECONDS, pin
from .shelf import current_id, discard, open_shelf
from .space import Size, fits, free_on, in_words
from .sqlite_copy import is_database
from .store import DRILL
from .validate import find_problem

PARSED = ("json", "json5", "jsonl", "ndjson", "yaml", "yml")
LARGEST_PARSED = 16 << 20
COPY_SECONDS = 3 * 3600.0


def store_drill(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"store"} -> {"id", "files", "bytes", "databases": int, "wrong": [text], "odd": [text],
    "time", "seconds"}.

    Copies the newest snapshot to a scratch folder as a person would, with `cp -a`, compares every
    hash and the root hash with the manifest, and opens every SQLite file: what is not as it should
    be is `wrong`. JSON and YAML files that do not parse are `odd`: the container may have written
    them so. The folder is removed, and the result kept in the store. Raises Refused when there is
    no verified snapshot, or no room.
    """
    shelf, started = open_shelf(config, p.store(params)), time.monotonic()
    snapshot = current_id(shelf)
    if snapshot is None:
        raise Refused(f"{shelf.store} has no verified snapshot to rehearse with")
    folder = shelf.snaps / snapshot
    pin(shelf, "drill", snapshot, time.time() + DAY_SECONDS)  # no run may prune it meanwhile
    document = read_manifest(folder / "manifest.json")
    files, scratch = document["files"], shelf.folder / ".drill"
    size = Size(size_of(files), len(files))
    discard(shelf, scratch)
    if not fits(size, free_on(shelf.folder)):
        raise Refused(f"there is no room to rehearse: {in_words(size.bytes)} are needed")
    try:
        copy(folder / "tree", scratch)
        restored = take_files(scratch)
        wrong = [f"{path}: not as in the manifest" for path in differing(restored, files)]
        if root_hash(restored) != document.get("root") and not wrong:
            wrong.append("the root hash is not that of the manifest")
        databases = [path for path in restored if is_database(scratch / path)]
        wrong += [f"{path}: {why}" for path in databases if (why := complaint(scratch / path))]
        odd = [f"{path}: {why}" for path in restored if (why := oddity(path, scratch / path))]
    finally:
        discard(shelf, scratch)
        (shelf.pins / "drill").unlink(missing_ok=True)
    result = {
        "id": snapshot,
        **size._asdict(),
        "databases": len(databases),
        "wrong": wrong[:100],
        "odd": odd[:100],
        "time": time.time(),
        "seconds": round(time.monotonic() - started, 3),
    }
    write_json(shelf.folder / DRILL, result)
    return result


def copy(tree: Path, scratch: Path) -> None:
    """As the README says that a person restores. Raises Failed with cp's words."""
    scratch.mkdir(mode=0o700)
    argv = ("cp", "-a", f"{tree}/.", str(scratch))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=COPY_SECONDS)
    if done.returncode:
        raise Failed(f"cp -a: {done.stderr.strip()[-300:]}")


def complaint(file: Path) -> str:
    """What SQLite says is wrong with a database; "" for nothing."""
    try:
        uri = f"file:{quote(str(file))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            found = database.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if found and found[0] == "ok" else f"quick_check: {found[0] if found else 'nothing'}"


def oddity(path: str, file: Path) -> str:
    """Why a JSON or YAML file does not parse; "" when it does, or is none."""
    if path.rpartition(".")[2].lower() not in PARSED or file.is_symlink():
        return ""
    if not 0 < file.stat().st_size <= LARGEST_PARSED:
        return ""
    return str(find_problem(path, file.read_bytes()) or "")
