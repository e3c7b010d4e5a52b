"""What the verbs of a sync cost on the receiver, beside a raw rsync: a usual memory, and how it
grows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from prefect.logging import disable_run_logger

from tasks.core.site import Site
from tasks.remote.nodes import close_site
from tests.bench.copies import EPOCH, RSYNC, A, B, Raw, grow, make_tree, seconds_of, sync
from tests.bench.original import machines, plain_ssh
from tests.bench.progress import say
from tests.bench.table import Goal, Group, Row, ratios
from tests.site_machines import Ground

FILES, FILE_BYTES, CHANGED, TIMES = 500, 4000, 5, 9
SETTLE_SECONDS = 2.5  # what was written just now may still be written: it is pulled again
UNCHANGED, FEW = Goal(1.2), Goal(1.5)
COUNTS, SMALL_BYTES, GROWTH_TIMES = (10_000, 55_000, 100_000), 300, 3
NEW, FEW_CHANGED = "all files new", f"{CHANGED} files changed"
NOISE = 1.1  # of what is measured so few times


def memory() -> list[Group]:
    """Nothing changed, and 5 files changed; medians of 9."""
    rows: list[Row] = []
    with place(FILES, FILE_BYTES) as (raw, site):
        raw.copy()
        sync(site)
        time.sleep(SETTLE_SECONDS)
        sync(site)
        rows += compare("nothing changed", raw, site, lambda: None, UNCHANGED)
        change = f"{CHANGED} files grew by a line"
        rows += compare(change, raw, site, lambda: grow(raw.source, CHANGED), FEW)
    title = f"Memory of {FILES} files of {FILE_BYTES / 1000:g} kB, {A} to {B}"
    return [Group(title, tuple(rows)), growth()]


def growth() -> Group:
    """What a further file costs when there are many, as a multiple of what it costs when there are
    few: a connection and the programs' starts are no part of it. Not of a first copy, in which the
    disk decides.
    """
    found = {count: measure(count) for count in COUNTS}
    rows = [
        Row(f"{count:,} files, {case}: {name}", found[count][case][who])
        for case in (NEW, FEW_CHANGED)
        for who, name in enumerate((f"raw `{RSYNC}`", "a sync's verbs"))
        for count in COUNTS
    ]
    theirs, ours = (
        beyond(*(median(found[count][FEW_CHANGED][who]) for count in COUNTS)) for who in (0, 1)
    )
    what = f"{FEW_CHANGED}: a file beyond {COUNTS[1]:,}, as a share of one below"
    rows.append(Row(f"{what}: raw", (theirs,), "%"))
    rows.append(Row(f"{what}: ours", (ours,), "%", Goal(NOISE * max(1.0, theirs))))
    return Group(f"Memory of many files of {SMALL_BYTES} bytes", tuple(rows))


def beyond(few: float, more: float, many: float) -> float:
    """What the files from the second count to the third cost as a share of those before them."""
    return (many - more) / (more - few)


def measure(count: int) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Case -> seconds of raw rsync and of ours: once for all files, GROWTH_TIMES for a few."""
    with place(count, SMALL_BYTES) as (raw, site):
        os.sync()  # or the first to copy waits for what was only now written
        found = {NEW: ([seconds_of(raw.copy)], [sum(sync(site))]), FEW_CHANGED: ([], [])}
        for number in range(GROWTH_TIMES):
            say(f"memory of {count:,} files, {number + 1} of {GROWTH_TIMES}: {FEW_CHANGED}")
            grow(raw.source, CHANGED)
            time.sleep(SETTLE_SECONDS)
            theirs, ours = found[FEW_CHANGED]
            theirs.append(seconds_of(raw.copy))
            ours.append(sum(sync(site)))
    return {case: (tuple(theirs), tuple(ours)) for case, (theirs, ours) in found.items()}


@contextmanager
def place(files: int, size: int) -> Iterator[tuple[Raw, Site]]:
    """Three machines with so much memory on the one that serves, and a raw rsync beside ours."""
    with machines() as three, disable_run_logger():
        ground = Ground(three, three.root, {})
        ground.write_record(EPOCH, A)
        try:
            with plain_ssh(three, B, A) as ssh:
                source = make_tree(three.workspace(A) / "memory", files, size).parent
                yield Raw(ssh, source, three.nodes[B]), ground.site
        finally:
            close_site(ground.site)


def compare(
    case: str, raw: Raw, site: Site, change: Callable[[], None], goal: Goal
) -> tuple[Row, ...]:
    """Both copy the same changes, in turn."""
    copies, verbs, wholes = list[float](), list[float](), list[float]()
    for number in range(TIMES):
        say(f"memory {number + 1} of {TIMES}: {case}")
        change()
        copies.append(seconds_of(raw.copy))
        begun = time.monotonic()
        verbs.append(sum(sync(site)))
        wholes.append(time.monotonic() - begun)
    return (
        Row(f"{case}: raw `{RSYNC}`, a connection of its own", tuple(copies)),
        Row(f"{case}: pull, validate, publish and apply", tuple(verbs)),
        Row("- as a share of raw rsync's", ratios(verbs, copies), "%", goal),
        Row(f"{case}: with what T440 asks before, and every program's start", tuple(wholes)),
    )
