"""When in doubt a pull looks at everything, and what is not as the manifest says is refused."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from deployments.node.errors import Failed, Refused
from deployments.node.manifest import verify

from .delta_ground import (
    away,
    publish,
    pull,
    rewrite,
    rewrite_in_place,
    stage,
    take,
)
from .tiers_ground import PULL, STORE, Tiers, everything, rot, scrub


def test_a_path_that_was_not_named_is_refused_and_then_pulled(known: Tiers) -> None:
    rewrite(known.source)
    (known.source / "sub/b.txt").write_text("not named\n")
    staged = stage(known)
    staged["touched"] = [path for path in staged["touched"] if "b.txt" not in path]
    with pytest.raises(Refused, match=r"1 files are not what the peer's manifest says: sub/b.txt"):
        take(known.a, staged)
    assert take(known.a, staged)["named"] == 0, "then everything is looked at"
    assert everything(known.a.current(STORE)) == everything(known.source)


def test_a_copy_that_was_staged_anew_during_the_pull_is_not_published(known: Tiers) -> None:
    rewrite(known.source)
    staged = stage(known)
    (known.source / "sub/b.txt").write_text("meanwhile\n")
    stage(known)
    with pytest.raises(Failed, match="staged anew during the pull"):
        take(known.a, staged)
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
    assert take(known.a, stage(known))["named"] == 0
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
