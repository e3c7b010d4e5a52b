"""Rot in a store is found, a share at a time, and no future snapshot inherits it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

import pytest

from deployments.node.errors import BadInput, Refused
from deployments.node.manifest import verify
from deployments.node.scrub import Reading
from deployments.node.shelf import open_shelf

from .loopback import Node
from .tiers_ground import FILES, STORE, Tiers, all_whole, names, rot, scrub, snapshots


def test_a_good_store_is_read_once_and_nothing_is_named(tiers: Tiers) -> None:
    told = scrub(tiers.a)
    assert (told["files"], told["rotten"], told["done"]) == (len(FILES) + 3, [], True)
    assert tiers.a.call("store list")["stores"][STORE]["rotten"] == 0


def test_over_all_shares_each_file_is_read_once(tiers: Tiers) -> None:
    told = [tiers.a.call("store scrub", store=STORE, of=24) for _ in range(24)]
    assert [one["part"] for one in told] == list(range(24))
    assert sum(one["files"] for one in told) == len(FILES) + 3
    assert tiers.a.call("store scrub", store=STORE, of=24)["part"] == 0


def test_a_share_that_met_its_deadline_goes_on_where_it_ended(tiers: Tiers) -> None:
    shelf, over = open_shelf(tiers.a.config, STORE), time.monotonic()
    told = [Reading(shelf, 1, {}).run(over)]
    while not told[-1]["done"]:
        told.append(Reading(shelf, 1, {}).run(over))
        assert told[-1]["progress"] > told[-2]["progress"]
    assert [one["files"] for one in told] == [1] * (len(FILES) + 3)


def test_no_future_snapshot_inherits_the_rot(tiers: Tiers) -> None:
    (tiers.source / "changing.txt").write_text("each file is a new one, for the test copied them\n")
    tiers.to_a()
    rot(snapshots(tiers.a)[-1] / "tree/a.txt")
    (tiers.source / "changing.txt").write_text("with the rot\n")
    tiers.to_a()
    assert verify(snapshots(tiers.a)[-1]) == ["a.txt"], "size and time are the same: inherited"
    scrub(tiers.a)
    (tiers.source / "changing.txt").write_text("without it\n")
    tiers.to_a()
    assert verify(snapshots(tiers.a)[-1]) == []
    assert verify(snapshots(tiers.a)[-2]) == ["a.txt"], "only the new one came from the source"
    healed = tiers.a.call("store heal", store=STORE)
    assert names(healed["healed"]) == {"a.txt"}, "from the newest snapshot, without the other tier"
    assert all_whole(tiers.a)


def test_a_farm_that_is_made_anew_leaves_the_rot_out(tiers: Tiers) -> None:
    rot(snapshots(tiers.a)[-1] / "tree/a.txt")
    scrub(tiers.a)
    tiers.a.call("store pull", store=STORE, peer="t440", parts={"": "stage/oc-core/tree"})
    incoming = tiers.a.config.stores / STORE / ".incoming"
    for path in sorted(incoming.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    incoming.rmdir()
    (tiers.source / "changing.txt").write_text("anew\n")
    tiers.to_a()
    assert verify(snapshots(tiers.a)[-1]) == []


def test_what_was_pulled_and_not_published_is_pulled_again(tiers: Tiers) -> None:
    parts = {"": "stage/oc-core/tree"}
    tiers.a.call("store pull", store=STORE, peer="t440", parts=parts)
    pulled = tiers.a.config.stores / STORE / ".incoming/pulled.json"
    os.utime(pulled, (1, 1))  # nobody is about to publish it
    rot(snapshots(tiers.a)[0] / "tree/a.txt")
    scrub(tiers.a)
    assert not pulled.exists()
    assert not (pulled.parent / "tree/a.txt").exists()


def test_a_file_that_was_not_published_is_named_until_it_is_removed(tiers: Tiers) -> None:
    extra = snapshots(tiers.a)[0] / "tree/extra.txt"
    extra.write_text("who put me here?\n")
    assert [one["kind"] for one in scrub(tiers.a)["rotten"]] == ["extra"]
    assert names(tiers.heal(tiers.a, tiers.b)["left"]) == {"extra.txt"}
    extra.unlink()
    assert tiers.heal(tiers.a, tiers.b)["left"] == []


@pytest.mark.parametrize(
    "more", [{"of": 0}, {"of": 24, "part": 24}, {"of": 2000}, {"of": 2, "part": -1}]
)
def test_a_share_that_does_not_exist_is_refused(tiers: Tiers, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        tiers.a.call("store scrub", store=STORE, **more)


def test_a_store_that_is_not_here_offers_nothing_and_is_not_made(tiers: Tiers) -> None:
    told = tiers.b.call("store offer", store="backup/other", sha256=["0" * 64])
    assert told["offered"] == [] and not (tiers.b.config.stores / "backup/other").exists()


def test_a_publish_that_is_about_to_come_is_waited_for(tiers: Tiers) -> None:
    parts, check = {"": "stage/oc-core/tree"}, "stage/oc-core/manifest.json"
    (tiers.source / "changing.txt").write_text("pulled in the middle of it\n")
    tiers.t440.call("store stage", source="oc-core")
    tiers.a.call("store pull", store=STORE, peer="t440", parts=parts, check=check)
    rot(snapshots(tiers.a)[-1] / "tree/a.txt")
    argv, environment = tiers.a.command("store scrub")
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    )
    assert process.stdin
    process.stdin.write(json.dumps({"store": STORE, "of": 1}).encode())
    process.stdin.close()
    store = tiers.a.config.stores / STORE
    while not (store / "rotten.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    order = {"store": STORE, "origin": "t440", "epoch": 1, "tier": "primary"}
    assert not tiers.a.call("store publish", **order)["unchanged"]
    assert process.wait(30) == 0
    assert not (store / ".incoming/tree/a.txt").exists()
    assert names(tiers.heal(tiers.a, tiers.b)["healed"]) == {"a.txt"} and all_whole(tiers.a)


def test_a_last_good_version_that_rotted_is_not_held_on_to(synced: tuple[Node, Node]) -> None:
    a, b = synced
    a.write("memory/facts.json", '{"a": ')
    b.pull(a)
    with pytest.raises(Refused):
        b.publish(a)
    rot(b.current() / "main/memory/facts.json")
    b.pull(a)
    result = b.publish(a)
    assert result["held"] == {} and list(result["bad"]) == ["main/memory/facts.json"]
    assert verify(b.current().parent) == []


def test_memory_is_scrubbed_too_and_comes_back_from_the_next_sync(
    synced: tuple[Node, Node],
) -> None:
    a, b = synced
    rot(b.current() / "main/USER.md")
    (fault,) = b.call("store scrub", store="memory", of=1)["rotten"]
    assert fault["path"] == "main/USER.md"
    assert names(b.call("store heal", store="memory")["left"]) == {"main/USER.md"}
    b.pull(a)
    assert names(b.call("store heal", store="memory")["healed"]) == {"main/USER.md"}
    assert verify(b.current().parent) == []
    assert b.publish(a)["unchanged"]
