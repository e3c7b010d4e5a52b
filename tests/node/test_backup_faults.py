"""What befalls backups: a machine burns, all is rewritten, a kill, a cut link, a clock set back."""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.errors import Failed, Refused
from deployments.node.manifest import take_files
from tests.worker.wall_clock import WallClock, why_not

from .killing import KILLS, below, end, kill, wait_for
from .loopback import Node, Sshd, as_told
from .tiers_ground import PUBLISH, PULL, STAGE, STORE, TAKE, Tiers, all_whole, snapshots

DAY = 86400
MB = 1 << 20


def contents(folder: Path) -> dict[str, str]:
    """Path -> hash, or where a link leads."""
    found = take_files(folder)
    return {path: str(entry.get("sha256") or entry["link"]) for path, entry in found.items()}


@pytest.mark.parametrize("lost", ["t440", "pc-a", "pc-b"])
def test_any_one_machine_may_burn_and_the_rest_has_everything(
    tiers: Tiers, lost: str, tmp_path: Path
) -> None:
    wanted = contents(tiers.source)
    nodes = [node for node in (tiers.a, tiers.b) if node.name != lost]
    if lost == "t440":
        shutil.rmtree(tiers.source)
        shutil.rmtree(tiers.t440.config.state)
    else:
        shutil.rmtree((tiers.a if lost == "pc-a" else tiers.b).config.state)
    for node in nodes:
        ours, by_hand = tmp_path / f"ours-{node.name}", tmp_path / f"by-hand-{node.name}"
        node.call("store restore", store=STORE, target=str(ours))
        by_hand.mkdir()
        subprocess.run(("cp", "-a", f"{node.current(STORE)}/.", str(by_hand)), check=True)
        assert contents(ours) == contents(by_hand) == wanted
    if lost == "t440":  # a new one has its containers back: the chain goes on
        subprocess.run(("cp", "-a", str(ours), str(tiers.source)), check=True)
    tiers.to_a()
    tiers.to_b()
    for node in (tiers.a, tiers.b):
        assert contents(node.current(STORE)) == wanted


@pytest.mark.parametrize("rename", [False, True])
def test_ransom_is_refused_and_every_backup_stays(tiers: Tiers, rename: bool) -> None:
    for number in range(12):
        (tiers.source / f"file-{number}").write_text(f"content {number}\n")
    tiers.to_a()
    before = [path.name for path in snapshots(tiers.a)]
    for file in [path for path in tiers.source.rglob("*") if path.is_file()]:
        file.write_bytes(bytes(byte ^ 255 for byte in file.read_bytes()))
        if rename:
            file.rename(file.with_name(f"{file.name}.locked"))
    with pytest.raises(Refused, match=r"are gone or empty" if rename else r"rewritten at once"):
        tiers.to_a()
    assert [path.name for path in snapshots(tiers.a)] == before
    assert all_whole(tiers.a)


def start(node: Node, verb: str, params: dict[str, Any]) -> subprocess.Popen[bytes]:
    argv, environment = node.command(verb)
    process = subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stdin
    process.stdin.write(json.dumps(params).encode())
    process.stdin.close()
    return process


def test_killed_at_random_moments_no_verified_backup_is_lost(tiers: Tiers) -> None:
    steps = (
        ("stage", tiers.t440, "store stage", STAGE),
        ("pull", tiers.a, "store pull", TAKE),
    )
    hit: collections.Counter[str] = collections.Counter()
    takes, named = {}, 0
    for step, node, verb, params in steps:
        began = time.monotonic()
        assert start(node, verb, params).wait(60) == 0
        takes[step] = time.monotonic() - began
    for seed in itertools.count():
        if hit.total() >= KILLS and min(hit[step] for step, *_ in steps) > 0:
            break
        assert seed < 8 * KILLS, f"most come too late: {dict(hit)}"
        chance = random.Random(seed)
        (tiers.source / "changing.txt").write_text(
            f"seed {seed}\n" + "x" * chance.randint(MB * 2 // 3, MB)
        )
        aim, told = seed % (len(steps) + 1), dict[str, Any]()  # every third run is not killed
        for number, (step, node, verb, params) in enumerate(steps):
            if number < aim:
                answer = node.rpc(verb, **params, **told)
                assert answer["exit"] == 0, answer
                told = as_told(answer) if step == "stage" else {}
                named += answer.get("named", 0)
                continue
            process = start(node, verb, {**params, **told})
            wait_for(process, chance.uniform(0, takes[step]))
            hit[step] += process.poll() is None
            kill(process, with_children=chance.random() < 0.5)
            print(f"seed {seed}: killed in {step}")
            break
        assert all_whole(tiers.a)
        assert len(snapshots(tiers.a)) >= 3, "the newest of an hour, and never fewer"
        if chance.random() < 0.7:  # after a whole run the next pull is one of a change alone
            tiers.to_a()
    tiers.to_a()
    tiers.to_b()
    for node in (tiers.a, tiers.b):
        assert contents(node.current(STORE)) == contents(tiers.source)
        assert all_whole(node)
    print(dict(hit), f"{named} paths were named in pulls of a change alone")
    assert named > 0


def test_a_transfer_that_is_cut_off_goes_on_where_it_was(tiers: Tiers, sshd: Sshd) -> None:
    large = tiers.source / "large.bin"
    with large.open("wb") as stream:
        for _ in range(300):
            stream.write(os.urandom(1024) * 1024)
    tiers.t440.call("store stage", **STAGE)
    incoming = tiers.a.config.stores / STORE / ".incoming/tree"
    process = start(tiers.a, "store pull", PULL)

    def has_come() -> bool:
        return any(one.stat().st_size > 30 * MB for one in incoming.glob(".large.bin.*"))

    wait_until(has_come, 30, "a part has come")
    end(below(sshd.process.pid, "sshd"))
    assert process.wait(60) != 0
    partial = (incoming / "large.bin").stat()
    assert (partial.st_size > 30 * MB, int(partial.st_mtime)) == (True, 0)
    with pytest.raises(Failed, match="nothing complete was pulled"):
        tiers.a.call("store publish", **PUBLISH)
    tiers.to_a()
    assert contents(tiers.a.current(STORE)) == contents(tiers.source)
    assert all_whole(tiers.a)


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_clock_that_is_set_back_by_a_day_costs_no_backup(tiers: Tiers, tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    kept = {path.name for path in snapshots(tiers.a)}
    for seconds in (-DAY, 0):  # by the clock of the first one the others are of the future
        clock.set(seconds)
        (tiers.source / "changing.txt").write_text(f"clock {seconds}\n")
        for node, verb, params in (
            (tiers.t440, "store stage", STAGE),
            (tiers.a, "store pull", TAKE),
        ):
            told = run(node, verb, params, clock)
            assert "error" not in told, told
        assert contents(tiers.a.current(STORE)) == contents(tiers.source), "the newest is current"
        now = {path.name for path in snapshots(tiers.a)}
        # Of those of one hour only the newest is kept for long, but never fewer than three.
        assert kept < now if seconds else len(now) >= 3 and min(kept) in now
        kept = now
        listed = run(tiers.a, "store list", {"store": STORE}, clock)["stores"][STORE]
        assert 0 <= listed["age_seconds"] < 60
    assert all_whole(tiers.a)


def run(node: Node, verb: str, params: dict[str, Any], clock: WallClock) -> dict[str, Any]:
    """One verb by this clock; its answer."""
    argv, environment = node.command(verb)
    done = subprocess.run(
        argv,
        input=json.dumps(params),
        env={**environment, **clock.environment},
        text=True,
        capture_output=True,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
