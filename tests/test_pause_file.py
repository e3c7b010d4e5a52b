"""The pause on T440's disk: whole or not at all, and never more than was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.decide import decide
from tasks.core.errors import Paused
from tasks.core.pause import MOST_SECONDS, Pause
from tasks.core.site import Site
from tasks.core.state import Moment
from tasks.journal import boot_id, now
from tasks.pause import (
    is_held_anew,
    load_pause,
    pause_file,
    read_pause,
    remove_pause,
    require_unpaused,
    save_pause,
    with_pause,
)
from tests.core.sites import A1, gone, idle, serving, situation
from tests.core.sites import site as make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(watchdog=make_site().watchdog.model_copy(update={"state": tmp_path}))


def begun_now(**changes: object) -> Pause:
    pause = Pause("new switch", 3600.0, now(), boot_id(), told_wall=now().wall)
    return replace(pause, **changes)  # type: ignore[arg-type]


def test_what_was_kept_is_read_again_and_nothing_lies_beside_it(site: Site) -> None:
    assert load_pause(site) is None
    kept = begun_now(node="pc-b", by="Anna")
    save_pause(site, kept)
    assert load_pause(site) == kept
    assert [file.name for file in site.watchdog.state.iterdir()] == ["pause.json"]


def test_one_whose_time_is_over_holds_nothing_back_although_it_lies_there_still(site: Site) -> None:
    at = now()
    save_pause(site, begun_now(begun=Moment(at.boot - 3600, at.wall - 3600)))
    assert read_pause(site) is not None
    assert load_pause(site) is None
    require_unpaused(site)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"reason": "new sw', id="torn"),
        pytest.param("[]", id="no pause at all"),
        pytest.param('{"reason": "new switch"}', id="half of the fields"),
        pytest.param(
            '{"reason": "why", "seconds": NaN, "begun": [1, 1], "boot_id": "", "node": "",'
            ' "by": "", "told_wall": 1}',
            id="a time that is never over",
        ),
    ],
)
def test_what_cannot_be_read_holds_nothing_back(site: Site, text: str) -> None:
    pause_file(site).write_text(text)
    assert load_pause(site) is None
    assert remove_pause(site), "it is there, so that a person can be told"
    assert not remove_pause(site)


def edited(site: Site, **changes: object) -> Pause | None:
    """A pause that was changed on the disk by hand."""
    save_pause(site, begun_now())
    raw = json.loads(pause_file(site).read_text())
    pause_file(site).write_text(json.dumps({**raw, **changes}))
    return load_pause(site)


def test_a_time_written_by_hand_is_cut_at_a_week(site: Site) -> None:
    found = edited(site, seconds=1e12)
    assert found is not None
    assert found.seconds == MOST_SECONDS


def test_one_of_a_node_that_is_not_in_the_site_file_any_more_holds_nothing_back(site: Site) -> None:
    assert edited(site, node="pc-c") is None


@pytest.mark.parametrize("node", ["", "pc-a", "pc-b"])
def test_a_check_may_not_move_joe_and_a_person_may_but_is_told(site: Site, node: str) -> None:
    assert with_pause(site, "Switchover to pc-b by hand") == "Switchover to pc-b by hand"
    require_unpaused(site)
    pause = begun_now(node=node)
    save_pause(site, pause)
    with pytest.raises(Paused, match="new switch"):
        require_unpaused(site)
    assert with_pause(site, "Failback by hand") == f"Failback by hand; {pause.said}"


def test_a_move_that_is_held_back_is_new_once_and_again_in_another_pause(site: Site) -> None:
    pause = begun_now()
    calm = replace(situation(A1, serving("pc-a"), idle("pc-b")), site=site, pause=pause)
    held = replace(calm, observations={"pc-a": gone("pc-a", 15), "pc-b": idle("pc-b")})
    other = replace(held, pause=begun_now(reason="new disk"))
    free = replace(calm, pause=None)
    turns = [calm, held, held, calm, held, other, other, free, held]
    new = [is_held_anew(s, decide(s)) for s in turns]
    assert new == [False, True, False, False, False, True, False, False, True]
