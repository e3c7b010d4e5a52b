"""What the verbs of a sync cost on the receiver, beside a raw rsync: a usual memory, and how it
grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.logging import disable_run_logger

from tasks.core.site import Site
from tasks.remote.nodes import close_site
from tests.bench.copies import EPOCH, RSYNC, A, B, Raw, grow, make_tree, sync
from tests.bench.original import machines, plain_ssh
from tests.bench.progress import say
from tests.bench.table import Goal, Group, Row, ratios
from tests.site_machines import Ground

FILES, FILE_BYTES, CHANGED, TIMES = 500, 4000, 5, 9
SETTLE_SECONDS = 2.5  # what was written just now may still be written: it is pulled again
UNCHANGED, FEW = Goal(1.2), Goal(1.5)
MANY, TIMES_MORE, SMALL_BYTES = 10_000, 10, 300
NO_FASTER = Goal(1.0)


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
    """How many times longer ten times as many files take; once each."""
    counts = (MANY, MANY * TIMES_MORE)
    few, many = (measure_once(count) for count in counts)
    rows: list[Row] = []
    for case in few:
        for who, name in enumerate((f"raw `{RSYNC}`", "a sync's verbs")):
            for count, seconds in zip(counts, (few, many), strict=True):
                rows.append(Row(f"{count:,} files, {case}: {name}", (seconds[case][who],)))
        theirs, ours = (many[case][who] / few[case][who] for who in (0, 1))
        what = f"{case}: how our time grows, as a share of how raw's does"
        rows.append(Row(what, (ours / theirs,), "%", NO_FASTER))
    return Group(f"Memory of {TIMES_MORE} times as many files, of {SMALL_BYTES} bytes", tuple(rows))


def measure_once(count: int) -> dict[str, tuple[float, float]]:
    """Case -> seconds of raw rsync and of ours."""
    found = {}
    with place(count, SMALL_BYTES) as (raw, site):
        for case in ("all files new", f"{CHANGED} files changed"):
            say(f"memory of {count:,} files: {case}")
            time.sleep(SETTLE_SECONDS)
            begun = time.monotonic()
            raw.copy()
            found[case] = (time.monotonic() - begun, sum(sync(site)))
            grow(raw.source, CHANGED)
    return found


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
        begun = time.monotonic()
        raw.copy()
        copied = time.monotonic()
        verbs.append(sum(sync(site)))
        copies.append(copied - begun)
        wholes.append(time.monotonic() - copied)
    return (
        Row(f"{case}: raw `{RSYNC}`, a connection of its own", tuple(copies)),
        Row(f"{case}: pull, validate, publish and apply", tuple(verbs)),
        Row("- as a share of raw rsync's", ratios(verbs, copies), "%", goal),
        Row(f"{case}: with what T440 asks before, and every program's start", tuple(wholes)),
    )
