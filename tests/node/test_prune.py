"""What retention and pins leave on the disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deployments.node.config import NodeConfig
from deployments.node.farm import ensure_farm
from deployments.node.manifest import write_about, write_manifest
from deployments.node.pins import DAY_SECONDS, pin, pinned_ids
from deployments.node.prune import prune
from deployments.node.shelf import Shelf, discard, make_id, open_shelf, set_current, snapshot_ids

DAYS = 100


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return open_shelf(NodeConfig("pc-a", tmp_path, tmp_path, tmp_path), "backup/oc-core")


def add(shelf: Shelf, age_days: float, own: bool = False) -> str:
    """A snapshot of one file in a folder that its owner may not write."""
    then = time.time() - age_days * DAY_SECONDS
    snapshot = make_id(then)
    folder = shelf.snaps / snapshot
    (folder / "tree/locked").mkdir(parents=True)
    (folder / "tree/locked/file").write_text("x")
    (folder / "tree/locked").chmod(0o500)
    document = {"id": snapshot, "time": then, "files": {}, "own": own}
    write_manifest(folder / "manifest.json", document)
    write_about(folder, document)
    return snapshot


def test_old_snapshots_go_and_the_young_the_pinned_and_the_current_stay(shelf: Shelf) -> None:
    made = [add(shelf, age) for age in range(DAYS, -1, -1)]
    pin(shelf, "accident", made[3], None)
    set_current(shelf, made[5])
    pruned = prune(shelf)
    left = snapshot_ids(shelf)
    assert set(pruned) == set(made) - set(left)
    assert {made[3], made[5], *made[-7:]} <= set(left) and len(left) < 2 + 24 + 7 + 4
    assert not os.listdir(shelf.trash)
    assert prune(shelf) == []


def test_a_pin_that_ran_out_keeps_nothing_and_is_removed(shelf: Shelf) -> None:
    now = time.time()
    snapshots = [add(shelf, age) for age in (3, 2, 1)]
    pin(shelf, "old", snapshots[0], now - 1)
    pin(shelf, "new", snapshots[1], now + DAY_SECONDS)
    assert pinned_ids(shelf, now) == {snapshots[1]}
    prune(shelf)
    assert os.listdir(shelf.pins) == ["new"]


def test_own_snapshots_stay_by_their_pin_alone_and_displace_no_received_one(shelf: Shelf) -> None:
    received = [add(shelf, age) for age in (0.003, 0.002, 0.001)]
    own = [add(shelf, age, own=True) for age in (0.0005, 0.0004)]
    pin(shelf, "own", own[0], time.time() + DAY_SECONDS)
    assert prune(shelf) == [own[1]]
    assert snapshot_ids(shelf) == sorted([*received, own[0]])


def test_a_snapshot_that_was_deleted_by_hand_or_ruined_stops_nothing(shelf: Shelf) -> None:
    made = [add(shelf, age) for age in (3, 2, 1)]
    pin(shelf, "gone", "20200101T000000.000Z-00000000", None)
    (shelf.snaps / made[1] / "about.json").write_text("{")
    assert prune(shelf) == []
    assert pinned_ids(shelf, time.time()) == set()


@pytest.mark.parametrize("is_missing", [True, False], ids=["a farm is missing", "a farm is there"])
def test_an_old_snapshot_becomes_the_farm_that_is_missing_and_else_its_space_is_free(
    shelf: Shelf, is_missing: bool
) -> None:
    made = [add(shelf, age) for age in range(DAYS)]
    set_current(shelf, made[0])
    ensure_farm(shelf)
    if is_missing:
        discard(shelf, shelf.incoming)
    inodes = {one: (shelf.snaps / one / "tree/locked").stat().st_ino for one in made}
    pruned = prune(shelf)
    assert (shelf.folder / ".farm.new").exists() == is_missing
    ensure_farm(shelf)
    assert [name for name in os.listdir(shelf.folder) if name.startswith(".farm")] == []
    assert os.listdir(shelf.incoming) == ["tree"]
    file = "tree/locked/file"
    assert (shelf.incoming / file).samefile(shelf.snaps / made[0] / file)
    assert ((shelf.tree / "locked").stat().st_ino == inodes[pruned[-1]]) == is_missing
