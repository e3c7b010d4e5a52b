"""Rotten files are healed: in every snapshot, from where they are good, or not at all."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deployments.node.manifest import read_manifest
from deployments.node.shelf import open_shelf

from .loopback import Node
from .tiers_ground import (
    ODD,
    STORE,
    Tiers,
    all_whole,
    names,
    rot,
    scrub,
    snapshots,
    state,
    without_links,
)

KILLS = int(os.environ.get("DUALJOE_KILLS", "6"))
BEGUN = ("new", "link", "folder.json")


@pytest.mark.parametrize("path", ["a.txt", f"sub/{ODD}"], ids=["plain", "a strange name"])
def test_rot_in_a_file_that_snapshots_share_is_found_and_healed_from_the_other_tier(
    tiers: Tiers, path: str
) -> None:
    before = state(tiers.a)
    rot(snapshots(tiers.a)[0] / "tree" / path)
    told = scrub(tiers.a)
    (fault,) = told["rotten"]
    assert fault["path"] == path and fault["kind"] == "file"
    assert fault["snapshots"] == [one.name for one in snapshots(tiers.a)]
    healed = tiers.heal(tiers.a, tiers.b)
    assert names(healed["healed"]) == {path} and healed["left"] == []
    assert all_whole(tiers.a)
    assert without_links(state(tiers.a)) == without_links(before)
    assert len({(one / "tree" / path).stat().st_ino for one in snapshots(tiers.a)}) == 1
    assert scrub(tiers.a)["rotten"] == []
    assert not list((tiers.b.config.stores / STORE / ".offer").iterdir())


def test_a_missing_file_comes_back_into_every_snapshot(tiers: Tiers) -> None:
    before = without_links(state(tiers.a))
    for snapshot in snapshots(tiers.a):
        folder = snapshot / "tree/sub"
        status = folder.stat()
        (folder / "b.txt").unlink()
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    (fault,) = scrub(tiers.a)["rotten"]
    assert (fault["path"], fault["why"]) == ("sub/b.txt", "is missing")
    (tiers.a.config.stores / STORE / ".incoming/tree/sub/b.txt").unlink()
    assert names(tiers.heal(tiers.a, tiers.b)["healed"]) == {"sub/b.txt"}
    assert without_links(state(tiers.a)) == before
    first, second = (one / "tree/sub/b.txt" for one in snapshots(tiers.a)[:2])
    assert first.samefile(second)


def test_rot_on_both_tiers_stays_named_and_the_rest_is_healed(tiers: Tiers) -> None:
    for node in (tiers.a, tiers.b):
        rot(snapshots(node)[0] / "tree/a.txt")
    rot(snapshots(tiers.a)[0] / "tree/sub/b.txt")
    scrub(tiers.a)
    told = tiers.heal(tiers.a, tiers.b)
    assert names(told["healed"]) == {"sub/b.txt"} and names(told["left"]) == {"a.txt"}
    assert tiers.a.call("store list")["stores"][STORE]["rotten"] == 1
    tiers.to_a()  # the source still has it
    told = tiers.heal(tiers.a, tiers.b)
    assert names(told["healed"]) == {"a.txt"} and told["left"] == []
    assert all_whole(tiers.a)


def test_an_offer_that_is_not_what_it_says_is_not_taken(tiers: Tiers) -> None:
    rot(snapshots(tiers.a)[0] / "tree/a.txt")
    scrub(tiers.a)
    (digest,) = tiers.a.call("store heal", store=STORE)["wanted"]
    assert tiers.b.call("store offer", store=STORE, sha256=[digest])["offered"] == [digest]
    offered = tiers.b.config.stores / STORE / ".offer" / digest
    offered.unlink()
    offered.write_text("another\n")
    (offered.parent / "more").write_text("another\n")
    before = state(tiers.a)
    told = tiers.a.call("store heal", store=STORE, peer="pc-b")
    assert told["healed"] == [] and names(told["left"]) == {"a.txt"}
    assert state(tiers.a) == before


def test_what_was_refused_and_may_be_accepted_is_healed_as_well(tiers: Tiers) -> None:
    shelf = open_shelf(tiers.a.config, STORE)
    refused = shelf.rejected / snapshots(tiers.a)[0].name
    shutil.copytree(shelf.incoming, refused, copy_function=os.link, symlinks=True)
    rot(snapshots(tiers.a)[0] / "tree/a.txt")
    scrub(tiers.a)
    tiers.heal(tiers.a, tiers.b)
    assert (refused / "tree/a.txt").read_text() == "hello\n"
    assert (refused / "tree/a.txt").samefile(snapshots(tiers.a)[0] / "tree/a.txt")


def test_what_rots_between_scrub_and_heal_is_not_inherited_either(tiers: Tiers) -> None:
    for name in ("same.txt", "third.txt"):  # the content of a.txt in other inodes
        (tiers.source / name).write_text("hello\n")
    tiers.to_a()
    rot(snapshots(tiers.a)[0] / "tree/a.txt")
    scrub(tiers.a)
    rot(snapshots(tiers.a)[-1] / "tree/same.txt")
    healed = tiers.a.call("store heal", store=STORE)["healed"]
    assert names(healed) == {"a.txt", "same.txt"}, "from the third"
    (tiers.source / "changing.txt").write_text("afterwards\n")
    tiers.to_a()
    assert all_whole(tiers.a)


def test_a_folder_that_nobody_may_write_stays_so(tiers: Tiers) -> None:
    folder = snapshots(tiers.a)[-1] / "tree/sub"
    folder.chmod(0o555)
    before = without_links(state(tiers.a))
    rot(folder / "b.txt")
    scrub(tiers.a)
    assert names(tiers.heal(tiers.a, tiers.b)["healed"]) == {"sub/b.txt"}
    assert without_links(state(tiers.a)) == before


def spoil_link(snapshot: Path) -> None:
    (snapshot / "tree/link").unlink()
    (snapshot / "tree/link").symlink_to("b.txt")


def lose_link(snapshot: Path) -> None:
    (snapshot / "tree/link").unlink()


def ruin_manifest(snapshot: Path) -> None:
    file = snapshot / "manifest.json"
    file.write_text(file.read_text().replace("a.txt", "c.txt"))


def tear_manifest(snapshot: Path) -> None:
    os.truncate(snapshot / "manifest.json", 100)


def lose_about(snapshot: Path) -> None:
    (snapshot / "about.json").unlink()


@pytest.mark.parametrize("spoil", [spoil_link, lose_link, ruin_manifest, tear_manifest, lose_about])
def test_links_and_documents_are_made_again_from_what_is_there(tiers: Tiers, spoil: Any) -> None:
    snapshot = snapshots(tiers.a)[1]
    files = read_manifest(snapshot / "manifest.json")["files"]
    listed = tiers.a.call("store list")["stores"][STORE]["snapshots"]
    spoil(snapshot)
    assert len(scrub(tiers.a)["rotten"]) == 1
    assert tiers.heal(tiers.a, tiers.b)["left"] == []
    assert all_whole(tiers.a) and scrub(tiers.a)["rotten"] == []
    assert read_manifest(snapshot / "manifest.json")["files"] == files
    assert tiers.a.call("store list")["stores"][STORE]["snapshots"] == listed


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_heal_that_is_killed_leaves_old_or_new_files_and_the_next_one_ends_it(
    tiers: Tiers, seed: int
) -> None:
    before = without_links(state(tiers.a))
    for path in ("a.txt", "sub/b.txt", f"sub/{ODD}"):
        rot(snapshots(tiers.a)[0] / "tree" / path)
    rotten = without_links(state(tiers.a))
    wanted = [fault["sha256"] for fault in scrub(tiers.a)["rotten"]]
    tiers.b.call("store offer", store=STORE, sha256=wanted)
    argv, environment = tiers.a.command("store heal")
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    )
    assert process.stdin
    process.stdin.write(json.dumps({"store": STORE, "peer": "pc-b"}).encode())
    process.stdin.close()
    wait_until_begun(tiers.a, process)
    time.sleep(random.Random(seed).uniform(0, 0.02))
    process.kill()
    process.wait()
    for path, (_, _, content) in without_links(state(tiers.a)).items():
        assert content in (before[path][2], rotten[path][2]), path
    told = tiers.a.call("store heal", store=STORE, peer="pc-b")
    assert told["left"] == [] and without_links(state(tiers.a)) == before
    assert [one.name for one in (tiers.a.config.stores / STORE / ".heal").iterdir()] == ["got"]
    assert scrub(tiers.a)["rotten"] == []


def wait_until_begun(node: Node, process: subprocess.Popen[bytes]) -> None:
    """Until the first file is being made, or all is over."""
    work = node.config.stores / STORE / ".heal"
    while process.poll() is None and not any((work / one).exists() for one in BEGUN):
        time.sleep(0.0005)
