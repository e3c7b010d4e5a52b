"""Who has the copy before pulls the change alone, lacks nothing, and when in doubt looks at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import Failed, Refused
from deployments.node.manifest import verify

from .loopback import Node, as_told
from .tiers_ground import PUBLISH, PULL, STAGE, STORE, Tiers, everything, rot, scrub, snapshots


def stage(tiers: Tiers) -> dict[str, Any]:
    return tiers.t440.call("store stage", **STAGE)


def pull(node: Node, staged: dict[str, Any]) -> dict[str, Any]:
    return node.call("store pull", **PULL, **as_told(staged))


def publish(node: Node) -> dict[str, Any]:
    return node.call("store publish", **PUBLISH)


@pytest.fixture
def known(tiers: Tiers) -> Tiers:
    """pc-a has published the very copy that T440 staged last: the files are other ones since
    their folders were copied for this test."""
    (tiers.source / "changing.txt").write_text("known\n")
    tiers.to_a()
    return tiers


@contextmanager
def away(tiers: Tiers) -> Iterator[None]:
    """T440 cannot be reached by pc-a."""
    real = tiers.a.peers["t440"]
    tiers.a.peers["t440"] = replace(real, port=1)
    try:
        yield
    finally:
        tiers.a.peers["t440"] = real


def rewrite(source: Path) -> None:
    (source / "a.txt").write_text("hello again\n")


def rewrite_in_place(source: Path) -> None:
    """The same size, and the time set back."""
    before = (source / "a.txt").stat()
    (source / "a.txt").write_text("HELLO\n")
    os.utime(source / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def remove_all_but_one(source: Path) -> None:
    shutil.rmtree(source / "sub")


def swap_kinds(source: Path) -> None:
    shutil.rmtree(source / "sub")
    (source / "sub").write_text("a file now")
    (source / "a.txt").unlink()
    (source / "a.txt").mkdir()
    (source / "a.txt/inside").write_text("a folder now")
    (source / "link").unlink()
    (source / "link").write_text("no link any more")


def odd_names(source: Path) -> None:
    for name in (b"#hash", b";semicolon", b"-dash", b" space ", b"new\nline", b"\xff*?[x]"):
        (source / os.fsdecode(name)).mkdir()
        (source / os.fsdecode(name) / "x").write_text("odd")


def turn_the_link(source: Path) -> None:
    (source / "link").unlink()
    (source / "link").symlink_to("/etc")


def change_modes(source: Path) -> None:
    (source / "a.txt").chmod(0o604)
    (source / "sub").chmod(0o750)
    source.chmod(0o705)


def change_owners(source: Path) -> None:
    for path in (source, source / "sub", source / "a.txt"):
        os.chown(path, 1234, 4321)


CHANGES = [
    *(rewrite, rewrite_in_place, remove_all_but_one, swap_kinds),
    *(odd_names, turn_the_link, change_modes),
    *((change_owners,) if os.geteuid() == 0 else ()),
]


@pytest.mark.parametrize("step", CHANGES)
def test_the_change_alone_is_pulled(known: Tiers, step: Callable[[Path], None]) -> None:
    before = everything(snapshots(known.a)[-1] / "tree")
    step(known.source)
    staged = stage(known)
    pulled = pull(known.a, staged)
    assert pulled["named"] == len(staged["touched"]) + 1 < 15, "and the manifest"
    assert (pulled["files"], pulled["bytes"]) == (staged["files"], staged["bytes"])
    came = everything(known.a.config.stores / STORE / ".incoming/tree")
    assert came == everything(known.source)
    if step is change_owners:  # alone it is no new snapshot: it comes with the next one
        assert publish(known.a)["unchanged"]
        rewrite(known.source)
        pull(known.a, stage(known))
    assert not publish(known.a)["unchanged"]
    assert everything(known.a.current(STORE)) == everything(known.source)
    assert everything(snapshots(known.a)[-2] / "tree") == before
    assert not verify(known.a.current(STORE).parent)
    assert pull(known.a, stage(known))["passes"] == 0


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


def test_a_path_that_was_not_named_is_refused_and_then_pulled(known: Tiers) -> None:
    rewrite(known.source)
    (known.source / "sub/b.txt").write_text("not named\n")
    staged = stage(known)
    staged["touched"] = [path for path in staged["touched"] if "b.txt" not in path]
    assert pull(known.a, staged)["named"] > 0
    with pytest.raises(Refused, match=r"1 files are not what the peer's manifest says: sub/b.txt"):
        publish(known.a)
    assert pull(known.a, staged)["named"] == 0, "then everything is looked at"
    publish(known.a)
    assert everything(known.a.current(STORE)) == everything(known.source)


def test_a_copy_that_was_staged_anew_during_the_pull_is_not_published(known: Tiers) -> None:
    rewrite(known.source)
    staged = stage(known)
    (known.source / "sub/b.txt").write_text("meanwhile\n")
    stage(known)
    assert pull(known.a, staged)["named"] > 0
    with pytest.raises(Failed, match="staged anew during the pull"):
        publish(known.a)
    assert not list((known.a.config.stores / STORE / ".rejected").iterdir())
    known.to_a()
    assert everything(known.a.current(STORE)) == everything(known.source)


def another_receiver(tiers: Tiers) -> None:
    """Of a copy in between pc-a has nothing."""
    (tiers.source / "changing.txt").write_text("in between\n")
    stage(tiers)


def a_pull_that_failed(tiers: Tiers) -> None:
    (tiers.source / "changing.txt").write_text("not pulled\n")
    with away(tiers), pytest.raises(Failed, match="cannot be reached"):
        pull(tiers.a, stage(tiers))


def two_names_of_one_file(tiers: Tiers) -> None:
    os.link(tiers.source / "a.txt", tiers.source / "again.txt")


def a_ruined_memo(tiers: Tiers) -> None:
    (tiers.t440.config.state / "stage/oc-core/current/memo.json").write_text("{")


def rot_in_the_store(tiers: Tiers) -> None:
    rot(tiers.a.current(STORE) / "same.txt")
    assert scrub(tiers.a)["rotten"]
    tiers.a.call("store heal", store=STORE)


NO_DELTA = [
    *(another_receiver, a_pull_that_failed, two_names_of_one_file, a_ruined_memo),
    rot_in_the_store,
]


@pytest.mark.parametrize("event", NO_DELTA)
def test_everything_is_looked_at_after(known: Tiers, event: Callable[[Tiers], None]) -> None:
    event(known)
    rewrite(known.source)
    assert pull(known.a, stage(known))["named"] == 0
    publish(known.a)
    assert everything(known.a.current(STORE)) == everything(known.source)
    assert not verify(known.a.current(STORE).parent)


def test_a_file_that_looks_the_same_is_refused_once_and_then_pulled(known: Tiers) -> None:
    rewrite_in_place(known.source)
    stage(known)
    known.a.call("store pull", **PULL)
    with pytest.raises(Refused, match=r"1 files are not what the peer's manifest says: a.txt"):
        publish(known.a)
    known.a.call("store pull", **PULL)
    publish(known.a)
    assert everything(known.a.current(STORE)) == everything(known.source)


def test_without_a_size_or_an_id_everything_is_looked_at(known: Tiers) -> None:
    rewrite(known.source)
    staged = stage(known)
    assert known.a.call("store pull", **PULL)["named"] == 0
    publish(known.a)
    assert pull(known.a, staged)["named"] == 0
