"""Who has the copy before pulls the change alone, and lacks nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.node.errors import Failed, Refused
from deployments.node.manifest import take_files, verify

from .delta_ground import (
    CHANGES,
    away,
    change_owners,
    files_of,
    publish,
    pull,
    rewrite,
    stage,
    take,
)
from .killing import below
from .tiers_ground import STORE, Tiers, everything, snapshots


@pytest.mark.parametrize("step", CHANGES)
def test_the_change_alone_is_pulled(known: Tiers, step: Callable[[Path], None]) -> None:
    before = everything(snapshots(known.a)[-1] / "tree")
    step(known.source)
    staged = stage(known)
    pulled = take(known.a, staged)
    assert pulled["named"] == len(staged["touched"]) + 1 < 15, "and the manifest"
    assert (pulled["files"], pulled["bytes"]) == (staged["files"], staged["bytes"])
    if step is change_owners:  # alone it is no new snapshot: it comes with the next one
        assert pulled["published"]["unchanged"]
        rewrite(known.source)
        pulled = take(known.a, stage(known))
    assert not pulled["published"]["unchanged"]
    assert files_of(known.a) == take_files(known.source)
    assert everything(known.a.current(STORE)) == everything(known.source)
    assert everything(snapshots(known.a)[-2] / "tree") == before
    assert not verify(known.a.current(STORE).parent)
    assert pull(known.a, stage(known))["passes"] == 0


@pytest.mark.parametrize("step", CHANGES)
def test_the_change_alone_is_pulled_and_published_later(
    known: Tiers, step: Callable[[Path], None]
) -> None:
    step(known.source)
    assert pull(known.a, stage(known))["named"] > 0
    came = everything(known.a.config.stores / STORE / ".incoming/tree")
    assert came == everything(known.source)
    assert publish(known.a)["unchanged"] == (step is change_owners)
    assert files_of(known.a) == take_files(known.source)


def lose(tree: Path) -> None:
    (tree / "same.txt").unlink()


def exchange(tree: Path) -> None:
    """Other content under another inode, of the same size and time."""
    status = (tree / "same.txt").stat()
    (tree / "same.txt").unlink()
    (tree / "same.txt").write_text("y\n")
    os.utime(tree / "same.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


def add(tree: Path) -> None:
    (tree / "stray.txt").write_text("stray\n")


@pytest.mark.parametrize("befalls", [lose, exchange, add])
def test_what_befell_the_tree_since_the_last_run_is_refused_and_then_mended(
    known: Tiers, befalls: Callable[[Path], None]
) -> None:
    befalls(known.a.config.stores / STORE / ".incoming/tree")
    rewrite(known.source)
    staged = stage(known)
    with pytest.raises(Refused, match=r"1 files are not what the peer's manifest says: s"):
        take(known.a, staged)
    take(known.a, staged)
    assert everything(known.a.current(STORE)) == everything(known.source)
    assert not verify(known.a.current(STORE).parent)


def test_a_ruined_manifest_fails_the_pull_and_leaves_no_rsync(known: Tiers) -> None:
    manifest = known.a.current(STORE).parent / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_text("{")
    rewrite(known.source)
    staged = stage(known)
    with pytest.raises(Failed, match=r"manifest .* cannot be read"):
        take(known.a, staged)
    assert not below(os.getpid(), "rsync") and not below(os.getpid(), "timeout")
    manifest.write_bytes(good)
    assert take(known.a, staged)["named"] == 0, "then everything is looked at"
    assert everything(known.a.current(STORE)) == everything(known.source)


def test_an_unchanged_source_costs_no_connection_and_is_verified_anew(known: Tiers) -> None:
    newest = snapshots(known.a)[-1].name
    file = known.a.config.stores / STORE / "verified.json"
    for _ in range(2):
        staged, before = stage(known), file.read_bytes()
        with away(known):
            pulled = pull(known.a, staged)
        assert pulled["passes"] == 0
        told = publish(known.a)
        assert (told["unchanged"], told["id"]) == (True, newest)
        assert (told["files"], told["bytes"]) == (staged["files"], staged["bytes"])
        assert file.read_bytes() != before
        with pytest.raises(Failed, match="nothing complete was pulled"):
            publish(known.a)
