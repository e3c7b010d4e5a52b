"""Memory sync and backup, by the steps of their flows, against a raw `rsync -a --delete`."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from prefect.logging import disable_run_logger

from deployments.demo.machine import Machine
from deployments.demo.three import NODES, T440
from tasks.backup import PRIMARY_TIER, pull_backup, stage
from tasks.core.site import Site
from tasks.memory import (
    apply_memory,
    find_base,
    find_memory,
    publish_memory,
    pull_memory,
    validate_memory,
)
from tasks.remote.nodes import close_site
from tests.bench.original import machines, plain_ssh
from tests.bench.progress import say
from tests.bench.table import Group, Row
from tests.site_machines import Ground

FILES, FILE_BYTES = 2000, 25_000
CHANGED = FILES // 100
PULL_SECONDS = 240.0
EPOCH = 1
A, B = NODES
CONTAINER = "oc-core"
RSYNC = "rsync -a --delete"


def copies(times: int) -> list[Group]:
    """How long each takes when nothing has changed, and when 1 % has."""
    with machines() as three, disable_run_logger():
        ground = Ground(three, three.root, {})
        ground.write_record(EPOCH, A)
        try:
            with plain_ssh(three, B, A) as ssh:
                source = make_tree(three.workspace(A) / "memory").parent
                raw = Raw(ssh, source, three.nodes[B])
                memory = compare("memory", raw, lambda: sync(ground.site)[0], times)
            with plain_ssh(three, A, T440) as ssh:
                source = make_tree(three.sources[CONTAINER] / "notes").parent
                raw = Raw(ssh, source, three.nodes[A])
                backup = compare("backup", raw, lambda: back_up(ground), times)
        finally:
            close_site(ground.site)
    size = f"{FILES:,} files of {FILE_BYTES / 1000:.0f} kB"
    return [
        Group(f"Memory sync, {size}, pc-a to pc-b", memory),
        Group(f"Backup of a container, {size}, T440 to pc-a", backup),
    ]


class Raw:
    """A raw rsync that pulls `source` to a machine, over an ssh of its own."""

    def __init__(self, ssh: tuple[str, ...], source: Path, receiver: Machine) -> None:
        self.source = source
        target, shell = receiver.home / f"raw-{source.name}", " ".join(ssh)
        self.argv = (*RSYNC.split(), "-e", shell, f"127.0.0.1:{source}/", f"{target}/")

    def copy(self) -> None:
        """Raises CalledProcessError."""
        subprocess.run(self.argv, check=True, capture_output=True)


def compare(what: str, raw: Raw, ours: Callable[[], float], times: int) -> tuple[Row, ...]:
    """Both copy the same tree, each to a place of its own; the first copy is not counted.

    `ours` returns the seconds of its pull.
    """
    raw.copy()
    ours()
    rows = []
    changes: dict[str, Callable[[], None]] = {
        "nothing changed": lambda: None,
        f"{CHANGED} files grew by a line": lambda: grow(raw.source),
    }
    for case, change in changes.items():
        theirs, pulls, mine = [], [], []
        for number in range(times):
            say(f"copies {number + 1} of {times}: {what}, {case}")
            change()
            theirs.append(seconds_of(raw.copy))
            begun = time.monotonic()
            pulls.append(ours())
            mine.append(time.monotonic() - begun)
        rows.append(Row(f"{case}: raw `{RSYNC}`", tuple(theirs)))
        rows.append(Row(f"{case}: {what}, the pull alone", tuple(pulls)))
        rows.append(Row(f"{case}: {what}, all steps of its flow", tuple(mine)))
    return tuple(rows)


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def sync(site: Site) -> list[float]:
    """The steps of one memory sync, as the flow takes them; returns the seconds of the receiver's
    own work: pull, validate, publish, apply.
    """
    found = find_memory.fn(site, A)
    base = find_base.fn(site, A, B, PULL_SECONDS)
    pulled = pull_memory.fn(site, A, B, found, PULL_SECONDS, kept=True)
    validated = validate_memory.fn(site, B)
    published = publish_memory.fn(site, A, B, EPOCH)
    applied = apply_memory.fn(site, A, B, published["id"], base)
    return [float(one["seconds"]) for one in (pulled, validated, published, applied)]


def back_up(ground: Ground) -> float:
    """The steps of one container's backup to the primary tier; returns the seconds of the pull."""
    site = ground.site
    staged = stage.fn(site, CONTAINER, ground.site_file)
    disconnect(ground.three.nodes[A])
    where = (T440, A, f"stage/{CONTAINER}", staged)
    pulled = pull_backup.fn(site, CONTAINER, *where, EPOCH, PRIMARY_TIER)
    return float(pulled["seconds"])


def disconnect(receiver: Machine) -> None:
    """End the connection that its last pull left: the next one makes its own, as an hour later."""
    for socket in receiver.run.glob("kept-*"):
        end = ("ssh", "-o", f"ControlPath={socket}", "-O", "exit", "peer")
        subprocess.run(end, check=True, capture_output=True)


def make_tree(folder: Path, files: int = FILES, size: int = FILE_BYTES) -> Path:
    """Text that does not compress to nothing, in files of `size` bytes; returns the folder."""
    words = random.Random(1)  # the same text in each run
    for number in range(files):
        text = words.randbytes(size // 2 - 20).hex()
        (folder / f"note-{number:04}.md").write_text(f"# Note {number}\n\n{text}\n")
    return folder


def grow(source: Path, changed: int = CHANGED) -> None:
    """Append a line to so many files, chosen anew each time, as an agent does."""
    for file in random.sample(sorted(source.rglob("note-*.md")), changed):
        with file.open("a") as stream:
            stream.write(f"- a line of {time.time()}\n")
