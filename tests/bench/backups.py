"""A large container's backup beside raw rsync, restic and borg: copy, restore, verify."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from prefect.logging import disable_run_logger

from deployments.demo.three import NODES, T440
from tasks.backup import PRIMARY_TIER, connecting, pull_backup, stage, store_of
from tasks.remote.nodes import close_site, node
from tests.bench.copies import RSYNC, Raw, disconnect, seconds_of
from tests.bench.original import machines, plain_ssh
from tests.bench.progress import say
from tests.bench.restic_and_borg import COMMANDS, Tool, is_here
from tests.bench.table import Goal, Group, Row, ratios
from tests.site_machines import Ground

FILES, BYTES = 20_000, 500_000_000
MORE = 10  # times as many files, of as many bytes
CHANGED = 0.01
SHARES = 24
TRANSFER, WHOLE = Goal(1.1), Goal(1.8)
CONTAINER, RECEIVER = "oc-core", NODES[0]
SECONDS = 3600.0
EPOCH = 1
# One that the transfer makes itself; that of the first source of a run, which is made while it is
# staged; and that of the others.
CONNECTIONS = OWN, AHEAD, KEPT = "own", "ahead", "kept"


class Ours:
    """The steps of a backup to the primary tier, and what a person does with it."""

    def __init__(self, ground: Ground) -> None:
        self.site, self.site_file = ground.site, ground.site_file
        self.receiver = ground.three.nodes[RECEIVER]

    def back_up(self, over: str = AHEAD) -> tuple[float, float]:
        """(seconds of the transfer, seconds of all steps), over one of CONNECTIONS."""
        if over != KEPT:
            disconnect(self.receiver)
        begun = time.monotonic()
        with connecting(self.site, RECEIVER, T440) if over == AHEAD else nullcontext():
            staged = stage.fn(self.site, CONTAINER, self.site_file)
            where = (T440, RECEIVER, f"stage/{CONTAINER}", staged)
            pulled = pull_backup.fn(self.site, CONTAINER, *where, EPOCH, PRIMARY_TIER)
        return float(pulled["seconds"]), time.monotonic() - begun

    def restore(self, target: Path) -> float:
        """Seconds of a restore with every hash compared."""
        order = {"store": store_of(CONTAINER), "target": str(target)}
        return self._timed("store restore", order)

    def scrub(self) -> float:
        """Seconds to read all of the store again."""
        order = {"store": store_of(CONTAINER), "of": 1, "deadline_seconds": SECONDS}
        return self._timed("store scrub", order)

    def _timed(self, verb: str, order: dict[str, Any]) -> float:
        begun = time.monotonic()
        node(self.site, RECEIVER).call(verb, order, seconds=SECONDS)
        return time.monotonic() - begun


def backups(times: int) -> list[Group]:
    """Copies, restores and verifications of the same tree by each of them."""
    with place() as (ours, raw, folder):
        make_tree(raw.source, FILES)
        tools = [Tool(name, raw.source, folder / name) for name in COMMANDS if is_here(name)]
        copied = compare(raw, ours, tools, times)
        restored, verified = compare_restores(ours, tools, folder, times)
        few = unchanged(raw, ours, times)
    with place() as (ours, raw, _):  # anew: so many files rewritten at once would be refused
        make_tree(raw.source, FILES * MORE)
        many = unchanged(raw, ours, times)
    size = f"{FILES:,} files, {BYTES / 1e6:.0f} MB"
    return [
        Group(f"Backup of a container of {size}, 1 % changed, T440 to {RECEIVER}", copied),
        Group(f"Full restore of it on {RECEIVER}", restored),
        Group(f"Full verification of it on {RECEIVER}", verified),
        Group(f"{MORE} times as many files in as many bytes, nothing changed", growth(few, many)),
    ]


@contextmanager
def place() -> Iterator[tuple[Ours, Raw, Path]]:
    """Three machines, a raw rsync beside our backup, and a folder for the rest."""
    with machines() as three, disable_run_logger():
        ground = Ground(three, three.root, {})
        ground.write_record(EPOCH, RECEIVER)
        try:
            with plain_ssh(three, RECEIVER, T440) as ssh:
                raw = Raw(ssh, three.sources[CONTAINER], three.nodes[RECEIVER])
                yield Ours(ground), raw, three.root
        finally:
            close_site(ground.site)


def make_tree(source: Path, files: int) -> Path:
    """`files` files of BYTES in all below the source, half of it random; returns their folder."""
    say(f"backups: making {files:,} files")
    words, folder = random.Random(1), source / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(files):
        file = folder / f"{number % 200:03}" / f"{number:06}"
        if number < 200:
            file.parent.mkdir(parents=True)
        size = BYTES // files
        file.write_bytes(words.randbytes(size // 2) + b"x" * (size - size // 2))
    return folder


def change(folder: Path) -> None:
    """Append a line to 1 % of the files."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    for file in random.sample(files, int(CHANGED * len(files))):
        with file.open("a") as stream:
            stream.write(f"a line of {time.time()}\n")


def compare(raw: Raw, ours: Ours, tools: Sequence[Tool], times: int) -> tuple[Row, ...]:
    """The same 1 % for each of them; the first copy is not counted."""
    raw.copy()
    ours.back_up(KEPT)
    for tool in tools:
        tool.run("backup")
    copies = list[float]()
    transfers, wholes = ({over: list[float]() for over in CONNECTIONS} for _ in range(2))
    theirs: dict[str, list[float]] = {tool.name: [] for tool in tools}
    for number in range(times):
        say(f"backups {number + 1} of {times}: 1 % changed")
        for over in CONNECTIONS:
            change(raw.source / "tree")  # and each of them sees this one change alone
            os.sync()  # what the one before wrote is not for the next one to wait for
            copies.append(seconds_of(raw.copy))
            os.sync()
            transfer, whole = ours.back_up(over)
            transfers[over].append(transfer)
            wholes[over].append(whole)
            for tool in tools:
                os.sync()
                theirs[tool.name].append(tool.run("backup"))

    def row(name: str, found: dict[str, list[float]], over: str, goal: Goal) -> tuple[Row, Row]:
        share = ratios(found[over], copies)
        return Row(name, tuple(found[over])), Row("- as a share of raw rsync's", share, "%", goal)

    others = "over the connection of the source before"
    return (
        Row(f"raw `{RSYNC}`, a connection of its own", tuple(copies)),
        *row("the transfer alone, a connection of its own", transfers, OWN, TRANSFER),
        *row(f"the transfer alone, {others}", transfers, KEPT, TRANSFER),
        *row("connected, staged, transferred, hashed and published", wholes, AHEAD, WHOLE),
        *row(f"the same, {others}", wholes, KEPT, WHOLE),
        *(Row(f"{name}, to a local folder", tuple(found)) for name, found in theirs.items()),
    )


def compare_restores(
    ours: Ours, tools: Sequence[Tool], folder: Path, times: int
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """(restores, verifications); each restore goes to an empty folder."""
    store = f"stores/{store_of(CONTAINER)}/current/tree/."
    tree, target = folder / RECEIVER / "state" / store, folder / "restored"
    by_hand, by_us, scrubs = list[float](), list[float](), list[float]()
    theirs: dict[str, dict[str, list[float]]] = {
        what: {tool.name: [] for tool in tools} for what in ("restore", "verify")
    }
    for number in range(times):
        say(f"backups {number + 1} of {times}: restores and verifications")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        begun = time.monotonic()
        subprocess.run(("cp", "-a", str(tree), str(target)), check=True)
        by_hand.append(time.monotonic() - begun)
        shutil.rmtree(target)
        by_us.append(ours.restore(target))
        scrubs.append(ours.scrub())
        for what, found in theirs.items():
            for tool in tools:
                found[tool.name].append(tool.run(what))
    restores = (
        Row("by hand, `cp -a`", tuple(by_hand)),
        Row("`restore-backup`, every hash compared", tuple(by_us)),
        *(Row(name, tuple(found)) for name, found in theirs["restore"].items()),
    )
    verifications = (
        Row(f"scrub, all {SHARES} shares, half of the time left to others", tuple(scrubs)),
        *(Row(name, tuple(found)) for name, found in theirs["verify"].items()),
    )
    return restores, verifications


Spans = tuple[tuple[float, ...], tuple[float, ...]]


def growth(few: Spans, many: Spans) -> tuple[Row, ...]:
    """How much longer it takes with more files, by us and by a raw rsync."""
    rows = []
    for name, one, two in zip((f"raw `{RSYNC}`", "all steps of ours"), few, many, strict=True):
        rows.append(Row(f"{name}, {FILES:,} files", one))
        rows.append(Row(f"{name}, {FILES * MORE:,} files", two))
    limit = Goal(max(ratios(many[0], few[0])))
    rows.append(Row("ours grows by, no more than rsync", ratios(many[1], few[1]), "%", limit))
    return tuple(rows)


def unchanged(raw: Raw, ours: Ours, times: int) -> Spans:
    """(raw rsync, all of our steps) when nothing changed since the last time."""
    raw.copy()
    ours.back_up()
    say("backups: nothing changed")
    copies = tuple(seconds_of(raw.copy) for _ in range(times))
    return copies, tuple(ours.back_up()[1] for _ in range(times))
