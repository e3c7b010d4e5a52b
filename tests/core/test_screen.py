"""The status screen: what it says, and what counts as a change of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.decide import decide
from tasks.core.pause import Pause
from tasks.core.screen import Asked, describe, is_same, stamped
from tasks.core.situation import Situation
from tasks.core.state import History, Moment, Observation
from tests.core.sites import A1, B2, NOW, gone, idle, serving, situation

# 2027-01-15 08:00:00 UTC is NOW.wall.
ONCE, TWICE = (NOW.wall - 1800,), (NOW.wall - 1800, NOW.wall - 900)
LATCHED = History(failovers=TWICE, latched=True, preferred_well_since=NOW.boot)
PAUSED = Pause("new switch", 3600.0, NOW, "boot-1", by="Anna")
WELL = situation(A1, serving("pc-a"), idle("pc-b"))


def summary(s: Situation) -> str:
    return describe(s, decide(s).reason)


def test_a_summary_reads_as_plain_text() -> None:
    assert summary(replace(WELL, record_since=NOW.wall - 3600)) == (
        "# pc-a serves\n"
        "\n"
        "- record: pc-a since 2027-01-15 07:00:00 UTC, epoch 1, no move yet\n"
        "- could pc-b take over now: yes: it answers, its guard asks, and its memory is new"
        " enough\n"
        "- paused or latched: nothing\n"
        "- pc-a: serving, ssh ok, healthz ok\n"
        "- pc-b: idle, ssh ok, healthz refused, memory fresh (under 15 min old)\n"
    )


def test_the_whole_screen_adds_the_votes_and_an_aligned_table_of_both_tiers() -> None:
    stores = {
        "pc-a": {
            "memory": {"age_seconds": 90_000.0, "snapshots": [1]},
            "backup/oc-core": {"age_seconds": 1200.0, "snapshots": [1, 2]},
        },
        "pc-b": {"memory": {"age_seconds": 60.0, "snapshots": [1, 2, 3]}},
    }
    asked = Asked(("t440 lends no vote",), stores, "main 12 files, work 1 file")
    screen = describe(WELL, "pc-a serves", asked)
    assert screen == summary(WELL) + (
        "- t440 lends no vote\n"
        "- memory of pc-a that is carried: main 12 files, work 1 file\n"
        "\n"
        "| newest verified | pc-a (primary tier) | pc-b (DR tier)   |\n"
        "| --------------- | ------------------- | ---------------- |\n"
        "| backup/oc-core  | 20 min old, 2 kept  | none             |\n"
        "| memory          | in use              | 60 s old, 3 kept |\n"
    )


def test_a_node_that_did_not_answer_has_no_known_store() -> None:
    asked = Asked((), {"pc-a": {"memory": {"age_seconds": 1.0, "snapshots": []}}, "pc-b": {}})
    assert "| memory          | in use              | not known      |" in describe(WELL, "", asked)


@pytest.mark.parametrize(
    ("s", "line"),
    [
        pytest.param(WELL, "- record: pc-a since a time unknown, epoch 1, no move yet", id="first"),
        pytest.param(
            situation(B2, idle("pc-a"), serving("pc-b")),
            "- record: pc-b since a time unknown, epoch 2; preferred is pc-a",
            id="after a move the preferred node is named",
        ),
        pytest.param(
            situation(A1, serving("pc-a"), gone("pc-b", 20)),
            "- could pc-b take over now: no: pc-b is unreachable",
            id="the other is away: it is said why it could not take over",
        ),
        pytest.param(
            situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=None)),
            "- pc-b: idle, ssh ok, healthz refused, no verified memory",
            id="no memory",
        ),
        pytest.param(
            situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=901.0)),
            "- pc-b: idle, ssh ok, healthz refused, memory stale (over 15 min old)",
            id="old memory",
        ),
        pytest.param(
            situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=86_401.0)),
            "- pc-b: idle, ssh ok, healthz refused, memory too old to serve (over 24 h)",
            id="memory above the limit",
        ),
        pytest.param(
            situation(B2, idle("pc-a"), serving("pc-b"), LATCHED),
            "- paused or latched: latched, two failovers within 60 min: no failback until"
            " acknowledged; no third failover within 60 min, acknowledge to allow it",
            id="latched",
        ),
        pytest.param(
            situation(A1, serving("pc-a"), idle("pc-b"), failback="manual"),
            "- paused or latched: failback is by hand, by the site file",
            id="failback by hand",
        ),
        pytest.param(
            replace(WELL, pause=PAUSED),
            "- paused or latched: paused until 2027-01-15 09:00 UTC by Anna (new switch): checks"
            " watch and report, and move nothing",
            id="paused: until when, by whom and why",
        ),
        pytest.param(
            replace(WELL, pause=replace(PAUSED, node="pc-b", by="")),
            "- paused or latched: pc-b is in maintenance until 2027-01-15 09:00 UTC (new switch):"
            " no check moves Joe to pc-b or away from it, and as the standby it may be away without"
            " being a failure",
            id="maintenance of a node",
        ),
        pytest.param(
            replace(WELL, pause=replace(PAUSED, node="pc-b")),
            "- could pc-b take over now: no: pc-b is in maintenance until 2027-01-15 09:00 UTC by"
            " Anna (new switch)",
            id="a node in maintenance could not take over",
        ),
    ],
)
def test_a_line_of_the_screen(s: Situation, line: str) -> None:
    assert line in summary(s).splitlines()


def other(seen: Observation) -> Situation:
    return situation(A1, serving("pc-a"), seen)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        pytest.param(
            other(idle("pc-b")),
            other(idle("pc-b", memory_age_seconds=800.0)),
            True,
            id="memory grows older, and is fresh",
        ),
        pytest.param(
            other(idle("pc-b")), other(idle("pc-b", memory_age_seconds=901.0)), False, id="stale"
        ),
        pytest.param(
            other(idle("pc-b", asked_seconds=20.0)),
            other(idle("pc-b", asked_seconds=900.0)),
            True,
            id="a guard goes on being silent",
        ),
        pytest.param(
            situation(B2, idle("pc-a"), serving("pc-b"), History(preferred_well_since=NOW.boot)),
            situation(B2, idle("pc-a"), serving("pc-b"), History(preferred_well_since=9_900.0)),
            True,
            id="a failback comes nearer",
        ),
        pytest.param(WELL, other(gone("pc-b", 20)), False, id="the other goes away"),
        pytest.param(
            WELL, replace(WELL, history=History(failovers=ONCE)), True, id="one failover is known"
        ),
        pytest.param(WELL, replace(WELL, history=LATCHED), False, id="latched"),
        pytest.param(WELL, replace(WELL, pause=PAUSED), False, id="paused"),
        pytest.param(
            replace(WELL, pause=PAUSED, now=Moment(NOW.boot + 60, NOW.wall + 60)),
            replace(WELL, pause=PAUSED, now=Moment(NOW.boot + 3000, NOW.wall + 3000)),
            True,
            id="a pause goes on",
        ),
        pytest.param(WELL, replace(WELL, record_since=NOW.wall), False, id="another date"),
        pytest.param(WELL, replace(WELL, record=B2), False, id="another holder"),
    ],
)
def test_what_counts_as_a_change(before: Situation, after: Situation, same: bool) -> None:
    assert is_same(summary(before), summary(after)) is same


def test_when_it_was_seen_is_said_but_is_no_change() -> None:
    text = stamped(summary(WELL), NOW.wall)
    assert text.endswith("\nSeen 2027-01-15 08:00:00 UTC; written again when something changes.\n")
    assert is_same(text, summary(WELL))
    assert is_same(text, stamped(summary(WELL), NOW.wall + 3600))
    assert not is_same("", summary(WELL))
