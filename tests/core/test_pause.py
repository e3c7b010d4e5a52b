"""What a pause holds back, and what it never does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.decide import decide
from tasks.core.pause import Pause
from tasks.core.situation import Kind, Level, Situation
from tasks.core.state import History, Moment, Record
from tests.core.decide_cases import LONG_AGO, TWICE, UNWELL_LONG
from tests.core.sites import A1, B2, NOW, crashed, gone, hung, idle, serving, situation
from tests.core.test_decide import every_situation

HOUR = 3600.0
# NOW.wall is 2027-01-15 08:00:00 UTC.
BEGUN = Moment(NOW.boot - HOUR, NOW.wall - HOUR)
SITE = Pause("new switch", 4 * HOUR, BEGUN, "boot-1", by="Anna")
A_AWAY = Pause("new disk", 4 * HOUR, BEGUN, "boot-1", node="pc-a")
B_AWAY = Pause("new disk", 4 * HOUR, BEGUN, "boot-1", node="pc-b")
UNTIL = "until 2027-01-15 11:00 UTC"
A_SAID, B_SAID = (f"{node} is in maintenance {UNTIL} (new disk)" for node in ("pc-a", "pc-b"))
WELL_LONG = History(preferred_well_since=LONG_AGO)
OK, WARN, CRITICAL = Level.OK, Level.WARN, Level.CRITICAL


@pytest.mark.parametrize(
    ("pause", "s", "kind", "level", "reason"),
    [
        pytest.param(
            SITE,
            situation(A1, serving("pc-a"), idle("pc-b")),
            Kind.NOTHING,
            OK,
            f"pc-a serves; paused {UNTIL} by Anna (new switch)",
            id="all is well: it is said that the site is paused",
        ),
        pytest.param(
            SITE,
            situation(A1, gone("pc-a", 15), idle("pc-b")),
            Kind.HOLD,
            CRITICAL,
            "Paused (new switch): would have failed over to pc-b: pc-a silent for 15 s, heard by"
            f" nobody; paused {UNTIL}, resume to go on",
            id="the holder is silent: no failover, and it is said what would have been done",
        ),
        pytest.param(
            SITE,
            situation(A1, hung("pc-a"), idle("pc-b"), UNWELL_LONG),
            Kind.HOLD,
            CRITICAL,
            "Paused (new switch): would have failed over to pc-b: pc-a answers but its gateway"
            f" hangs: port open, no answer; paused {UNTIL}, resume to go on",
            id="the holder is unwell: no failover either",
        ),
        pytest.param(
            SITE,
            situation(B2, idle("pc-a"), serving("pc-b"), WELL_LONG),
            Kind.HOLD,
            OK,
            "Paused (new switch): would have failed back to pc-a: well for 3 h;"
            f" paused {UNTIL}, resume to go on",
            id="a failback is due: it is not made, and Joe serves on where he is",
        ),
        pytest.param(
            SITE,
            situation(A1, serving("pc-a"), gone("pc-b", 15)),
            Kind.NOTHING,
            WARN,
            "pc-a serves, but nobody could take over: pc-b is unreachable;"
            f" paused {UNTIL} by Anna (new switch)",
            id="the whole site is paused and the standby is away: a warning, as always",
        ),
        pytest.param(
            SITE,
            situation(A1, gone("pc-a", 15), gone("pc-b", 15)),
            Kind.NOTHING,
            CRITICAL,
            "Nobody serves: pc-a silent for 15 s, heard by nobody; pc-b is unreachable;"
            f" paused {UNTIL} by Anna (new switch)",
            id="nothing could have been done: nothing is promised",
        ),
        pytest.param(
            SITE,
            situation(A1, gone("pc-a", 15), idle("pc-b"), History(failovers=TWICE)),
            Kind.NOTHING,
            CRITICAL,
            "",
            id="a third failover would not have been made, so it is not said that it would",
        ),
        pytest.param(
            SITE,
            situation(A1, gone("pc-a", 3.9), idle("pc-b")),
            Kind.LOOK_AGAIN,
            WARN,
            "",
            id="one miss: looked at again, as always",
        ),
        pytest.param(
            SITE,
            situation(A1, crashed("pc-a"), idle("pc-b")),
            Kind.NOTHING,
            WARN,
            "",
            id="a crash is left to its guard, as always",
        ),
        pytest.param(
            SITE,
            situation(B2, serving("pc-a"), serving("pc-b")),
            Kind.FENCE,
            CRITICAL,
            "Two nodes serve: kill the gateway on pc-a, the record names pc-b;"
            f" paused {UNTIL} by Anna (new switch)",
            id="two nodes serve: a pause keeps nobody from ending that",
        ),
        pytest.param(
            SITE,
            situation(A1, gone("pc-a", 20), serving("pc-b", record=Record(4, "pc-b"))),
            Kind.ADOPT,
            WARN,
            f"Adopt the newer record: epoch 4 for pc-b; paused {UNTIL} by Anna (new switch)",
            id="a newer record is adopted: whom it names was decided elsewhere",
        ),
        pytest.param(
            B_AWAY,
            situation(A1, serving("pc-a"), gone("pc-b", 15)),
            Kind.NOTHING,
            OK,
            f"pc-a serves; {B_SAID}",
            id="the standby in maintenance is away: no failure",
        ),
        pytest.param(
            B_AWAY,
            situation(A1, serving("pc-a"), gone("pc-b", 1)),
            Kind.NOTHING,
            OK,
            f"pc-a serves; {B_SAID}",
            id="the standby in maintenance misses a probe: not looked at again",
        ),
        pytest.param(
            B_AWAY,
            situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=None)),
            Kind.NOTHING,
            OK,
            f"pc-a serves; {B_SAID}",
            id="the standby in maintenance has no memory: no failure",
        ),
        pytest.param(
            B_AWAY,
            situation(A1, gone("pc-a", 15), idle("pc-b")),
            Kind.NOTHING,
            CRITICAL,
            f"Nobody serves: pc-a silent for 15 s, heard by nobody; {B_SAID}",
            id="the holder is gone: nobody fails over to a node in maintenance",
        ),
        pytest.param(
            B_AWAY,
            situation(A1, serving("pc-a"), serving("pc-b")),
            Kind.FENCE,
            CRITICAL,
            "",
            id="a stray gateway on the node in maintenance is fenced",
        ),
        pytest.param(
            A_AWAY,
            situation(B2, idle("pc-a"), serving("pc-b"), WELL_LONG),
            Kind.NOTHING,
            OK,
            f"pc-b serves; {A_SAID}",
            id="the preferred node is in maintenance: no failback to it",
        ),
        pytest.param(
            B_AWAY,
            situation(B2, idle("pc-a"), serving("pc-b"), WELL_LONG),
            Kind.HOLD,
            OK,
            "Paused (new disk): would have failed back to pc-a: well for 3 h;"
            f" pc-b is in maintenance {UNTIL}, resume to go on",
            id="the holder is in maintenance and serves: no failback away from it",
        ),
        pytest.param(
            A_AWAY,
            situation(A1, gone("pc-a", 15), idle("pc-b")),
            Kind.HOLD,
            CRITICAL,
            "Paused (new disk): would have failed over to pc-b: pc-a silent for 15 s, heard by"
            f" nobody; pc-a is in maintenance {UNTIL}, resume to go on",
            id="the holder is in maintenance and goes away: nothing moves away from it by itself",
        ),
        pytest.param(
            A_AWAY,
            situation(A1, serving("pc-a"), gone("pc-b", 15)),
            Kind.NOTHING,
            WARN,
            "",
            id="the holder is in maintenance: the other one being away is a warning, as always",
        ),
    ],
)
def test_row(pause: Pause, s: Situation, kind: Kind, level: Level, reason: str) -> None:
    decision = decide(replace(s, pause=pause))
    assert (decision.kind, decision.level) == (kind, level), decision.reason
    assert not reason or decision.reason == reason
    if kind is not Kind.FENCE:
        assert decision.epoch == s.record.epoch


@pytest.mark.parametrize("pause", [SITE, A_AWAY, B_AWAY], ids=["site", "pc-a", "pc-b"])
def test_in_every_situation_a_pause_moves_nothing_and_changes_nothing_else(pause: Pause) -> None:
    for s in every_situation():
        free, held = decide(s), decide(replace(s, pause=pause))
        assert pause.short in held.reason
        assert held.kind not in (Kind.FAILOVER, Kind.FAILBACK)
        if free.kind in (Kind.FENCE, Kind.ADOPT):
            assert (held.kind, held.node, held.level) == (free.kind, free.node, free.level)
        elif pause.node == s.other.node:
            assert held.kind in (Kind.NOTHING, Kind.LOOK_AGAIN)
        elif free.kind in (Kind.FAILOVER, Kind.FAILBACK):
            assert (held.kind, held.node, held.level) == (Kind.HOLD, free.node, free.level)
            assert held.epoch == s.record.epoch
        else:
            assert (held.kind, held.level) == (free.kind, free.level)


def test_a_standby_in_maintenance_is_never_worse_than_a_note_while_joe_serves() -> None:
    for s in every_situation():
        if s.other.node == "pc-b" and "pc-a serves" in decide(s).reason:
            decision = decide(replace(s, pause=B_AWAY))
            assert (decision.level, decision.reason) == (OK, f"pc-a serves; {B_SAID}")
