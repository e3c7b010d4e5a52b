"""`.incoming/tree`: what a pull starts from, hard links to the newest snapshot without its rot."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .errors import Failed
from .linked import link_tree, make_writable, only_tree
from .manifest import Files, differing
from .rotten import Fault, make_fault, note, read_rotten
from .shelf import Shelf, current_id, discard, lock
from .unchanged import forget

PULLED = "pulled.json"
PEER_MANIFEST = "peer-manifest.json"
BESIDE = ".farm.new"
PUBLISH_SECONDS = 60.0


def ensure_farm(shelf: Shelf) -> None:
    """Make .incoming, when it is missing, from hard links to the current snapshot.

    The links are made beside and renamed, so a half-made farm is never pulled into. A file that
    rotted is left out: rsync, which looks at size and time, would take it for the source's.
    """
    if shelf.tree.is_dir():
        return
    discard(shelf, shelf.incoming)
    beside, current = shelf.folder / BESIDE, current_id(shelf)
    if current is None:
        discard(shelf, beside)
    tree = only_tree(beside)
    if current:
        link_tree(shelf.snaps / current / "tree", tree)
        leave_out(shelf, tree, read_rotten(shelf))
    os.rename(beside, shelf.incoming)


def recycle(shelf: Shelf, snapshot: str) -> None:
    """Take an old snapshot away: of one the farm is made that is missing now; few links differ."""
    beside = shelf.folder / BESIDE
    if beside.exists() or shelf.tree.is_dir():
        discard(shelf, shelf.snaps / snapshot)
    else:
        os.rename(shelf.snaps / snapshot, beside)


def leave_out(shelf: Shelf, tree: Path, faults: list[Fault]) -> None:
    """Take the links to rotten files out of a tree that is no snapshot."""
    for file in _find_links(shelf, tree, faults):
        make_writable(str(file.parent))  # the next pull sets it back
        file.unlink(missing_ok=True)


def _find_links(shelf: Shelf, tree: Path, faults: list[Fault]) -> list[Path]:
    found = []
    for fault in faults:
        path = str(fault["path"])
        snapshots = fault["snapshots"] if fault["kind"] == "file" else []
        if any(_is_same(tree / path, shelf.snaps / one / "tree" / path) for one in snapshots):
            found.append(tree / path)
    return found


def quarantine(shelf: Shelf, wait_seconds: float) -> None:
    """Take what rotted out of .incoming: the next pull brings it anew from its source.

    Between a pull and its publish it waits, at most that long; then what was pulled is to be pulled
    again. Raises Refused when another run holds the store for so long.
    """
    faults, deadline = read_rotten(shelf), time.monotonic() + wait_seconds
    while faults:
        with lock(shelf, max(0.0, deadline - time.monotonic())):
            if not _find_links(shelf, shelf.tree, faults):
                return
            if not _is_about_to_publish(shelf) or time.monotonic() >= deadline:
                leave_out(shelf, shelf.tree, faults)
                unmark(shelf)
                return
        time.sleep(0.2)


def unmark(shelf: Shelf) -> None:
    """What lies in .incoming is no longer what a pull brought, nor what was published.

    Without these marks it cannot be published, and is pulled again.
    """
    (shelf.incoming / PULLED).unlink(missing_ok=True)
    forget(shelf)


def require_sound(shelf: Shelf, snapshot: str, base: Files, files: Files) -> None:
    """Raises Failed when a file that no pull touched is not what was published: it rotted here.

    Else it would be published as if the agent had changed it. It is named for the scrub and left
    out of .incoming, so that the next pull brings it anew.
    """
    published = shelf.snaps / snapshot / "tree"
    rotten = [
        path
        for path in differing(base, files)
        if path in base and path in files and _is_same(shelf.tree / path, published / path)
    ]
    if not rotten:
        return
    why = "is not what was published"
    note(
        shelf,
        [
            make_fault("file", path, base[path]["sha256"], [snapshot], why, base[path]["size"])
            for path in rotten
        ],
    )
    leave_out(shelf, shelf.tree, read_rotten(shelf))
    unmark(shelf)
    raise Failed(
        f"{len(rotten)} files rotted in {shelf.store} since {snapshot}: {', '.join(rotten[:5])}",
        "nothing was published; the next pull brings them anew, and the scrub heals the snapshot",
    )


def _is_about_to_publish(shelf: Shelf) -> bool:
    try:
        pulled = os.lstat(shelf.incoming / PULLED).st_mtime
    except OSError:
        return False
    return 0 <= time.time() - pulled < PUBLISH_SECONDS


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False
