"""The move, step by step: what T440 sees each second -> what it does."""

from __future__ import annotations

import pytest

from tasks.core.move import (
    Effect,
    EndDrain,
    FinalSync,
    Finish,
    KillGateway,
    Move,
    MoveTimes,
    Outcome,
    Plan,
    RenewDrain,
    Seen,
    Step,
    WriteRecord,
)
from tasks.core.state import Record

OLD, NEW = Record(4, "pc-a"), Record(5, "pc-b")
SWITCHOVER = Plan(OLD, "pc-a", "pc-b", "asked for", True, True, True, drain_limit=20.0)
FAILOVER = Plan(OLD, "pc-a", "pc-b", "pc-a is silent", False, False, False)
DISK_ONLY = FAILOVER._replace(source_disk=True)
WELL = Seen(OLD, source_serving=True, source_heard_s=0.5, target_heard_s=0.5)
STOPPED = WELL._replace(source_serving=False)
SILENT = WELL._replace(source_heard_s=None)
WRITTEN = STOPPED._replace(record=NEW)
WRITE, SYNC = WriteRecord(OLD, "pc-b"), FinalSync("pc-a", "pc-b")


def run(plan: Plan, *sights: tuple[float, Seen]) -> tuple[Move, list[list[Effect]]]:
    """Advance a move at these times with these sights; it began at 0."""
    move = Move(plan, 0.0)
    return move, [move.advance(now, seen) for now, seen in sights]


def ending(effects: list[Effect]) -> Finish:
    assert isinstance(effects[0], EndDrain)
    assert isinstance(effects[-1], Finish)
    return effects[-1]


def test_a_switchover_drains_syncs_writes_and_watches_in_that_order() -> None:
    move, effects = run(
        SWITCHOVER,
        *((0.0, WELL), (1.0, WELL), (3.0, WELL), (4.0, STOPPED), (5.0, STOPPED)),
        *((6.0, STOPPED._replace(synced=True)), (7.0, STOPPED), (8.0, WRITTEN), (9.0, WRITTEN)),
        (15.0, WRITTEN._replace(target_serves=True)),
    )
    drain = RenewDrain("pc-a", 4, 10.0)
    assert effects[:3] == [[drain], [], [drain._replace(until=13.0)]]
    assert effects[3:5] == [[SYNC], []]
    assert effects[5] == [drain._replace(until=16.0)]
    assert effects[6:9] == [[WRITE], [EndDrain()], []]
    assert ending(effects[9]) == Finish(Outcome.MOVED, "asked for: pc-b serves")
    assert move.step is Step.JOURNAL
    assert move.advance(16.0, WRITTEN) == []


def test_a_failover_writes_at_once() -> None:
    move, effects = run(FAILOVER, (0.0, SILENT), (0.1, SILENT))
    assert effects == [[], [WRITE]]
    assert move.step is Step.WRITE


def test_a_dead_gateway_on_a_living_host_gives_its_memory_first() -> None:
    _, effects = run(
        DISK_ONLY, (0.0, STOPPED), (1.0, STOPPED._replace(synced=True)), (2.0, STOPPED)
    )
    assert effects == [[SYNC], [], [WRITE]]


def test_a_failover_goes_on_when_the_disk_cannot_be_read_after_all() -> None:
    _, effects = run(
        DISK_ONLY, (0.0, STOPPED), (1.0, STOPPED._replace(synced=False)), (2.0, STOPPED)
    )
    assert effects == [[SYNC], [], [WRITE]]


def test_a_write_that_is_not_seen_is_asked_for_again() -> None:
    _, effects = run(FAILOVER, (0.0, SILENT), (0.1, SILENT), (0.2, SILENT))
    assert effects == [[], [WRITE], [WRITE]]


def test_an_agent_that_works_past_its_limit_is_killed_and_its_last_memory_still_fetched() -> None:
    _, effects = run(SWITCHOVER, (19.0, WELL), (20.0, WELL), (21.0, STOPPED))
    assert KillGateway("pc-a") in effects[1]
    assert SYNC in effects[2]


def test_a_killed_gateway_has_the_kill_budget_an_ask_and_a_probe_to_be_seen_stopped() -> None:
    move, effects = run(SWITCHOVER, (0.0, WELL), (20.0, WELL), (28.9, WELL))
    assert effects[2] == [RenewDrain("pc-a", 4, 38.9)]
    assert move.finished is None


def test_a_guard_that_cannot_be_drained_does_not_keep_its_disk_from_being_read() -> None:
    """It hangs: its last word, that it serves, is old; and a running one is not waited for."""
    for hung in (SILENT, WELL):
        _, effects = run(DISK_ONLY, (0.0, hung), (1.0, hung._replace(synced=True)), (2.0, hung))
        assert effects == [[SYNC], [], [WRITE]]


def test_a_gateway_that_comes_back_during_the_final_sync_does_not_begin_the_drain_anew() -> None:
    done = STOPPED._replace(synced=True)
    _, effects = run(
        SWITCHOVER, (0.0, STOPPED), (1.0, WELL), (2.0, WELL._replace(synced=True)), (2.5, done)
    )
    assert effects[2:] == [[], [WRITE]]


def test_the_drain_is_renewed_until_the_write() -> None:
    done = STOPPED._replace(synced=True)
    _, effects = run(SWITCHOVER, (0.0, STOPPED), (1.0, done), (4.0, done))
    assert effects[2] == [RenewDrain("pc-a", 4, 14.0), WRITE]


def test_the_site_s_own_times_are_kept() -> None:
    move = Move(FAILOVER, 0.0, MoveTimes(heard_within=1.0))
    move.advance(0.0, SILENT)
    assert ending(move.advance(0.1, SILENT._replace(target_heard_s=1.1))).outcome is Outcome.STAYED


ENDS = {
    "a switchover stays when the final sync fails": (
        SWITCHOVER,
        [(0.0, STOPPED), (1.0, STOPPED._replace(synced=False))],
        Outcome.STAYED,
    ),
    "a switchover stays when the final sync takes too long": (
        SWITCHOVER,
        [(0.0, STOPPED), (120.0, STOPPED)],
        Outcome.STAYED,
    ),
    "a switchover stays when the old holder vanishes in the drain": (
        SWITCHOVER,
        [(0.0, WELL), (14.0, WELL._replace(source_heard_s=14.0))],
        Outcome.STAYED,
    ),
    "a switchover stays when the old holder serves again after the final sync": (
        SWITCHOVER,
        [(0.0, STOPPED), (1.0, STOPPED._replace(synced=True)), (1.5, WELL)],
        Outcome.STAYED,
    ),
    "a switchover stays when the old holder is silent after the final sync": (
        SWITCHOVER,
        [(0.0, STOPPED), (1.0, STOPPED._replace(synced=True)), (1.5, SILENT)],
        Outcome.STAYED,
    ),
    "a gateway that does not stop is reported as not stopped": (
        SWITCHOVER,
        [(0.0, WELL), (20.0, WELL), (29.0, WELL)],
        Outcome.NOT_STOPPED,
    ),
    "it stays when the other node has not asked for 6 s": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT._replace(target_heard_s=6.1))],
        Outcome.STAYED,
    ),
    "it stays when the other node has never asked": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT._replace(target_heard_s=None))],
        Outcome.STAYED,
    ),
    "it stays when the other node is not promotable": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT._replace(not_promotable="paused"))],
        Outcome.STAYED,
    ),
    "it is stale when the record changed before the move": (
        FAILOVER,
        [(0.0, SILENT._replace(record=Record(5, "pc-a")))],
        Outcome.STALE,
    ),
    "it is stale when the record changed before the write": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT), (0.2, SILENT._replace(record=Record(5, "pc-a")))],
        Outcome.STALE,
    ),
    "it is stale when a lower record that names the other node turns up": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT), (0.2, SILENT._replace(record=Record(3, "pc-b")))],
        Outcome.STALE,
    ),
    "a switchover stays when the old holder was last heard too long ago after the final sync": (
        SWITCHOVER,
        [
            (0.0, STOPPED),
            (1.0, STOPPED._replace(synced=True)),
            (8, STOPPED._replace(source_heard_s=7)),
        ],
        Outcome.STAYED,
    ),
    "it is overtaken by a higher record": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT), (0.2, WRITTEN), (1.0, WELL._replace(record=None))],
        Outcome.OVERTAKEN,
    ),
    "it claims nothing when the other node is not seen to serve": (
        FAILOVER,
        [(0.0, SILENT), (0.1, SILENT), (0.2, WRITTEN), (60.2, WRITTEN)],
        Outcome.NOT_UP,
    ),
}


@pytest.mark.parametrize(("plan", "sights", "outcome"), ENDS.values(), ids=ENDS)
def test_how_it_ends(plan: Plan, sights: list[tuple[float, Seen]], outcome: Outcome) -> None:
    move, effects = run(plan, *sights)
    assert ending(effects[-1]).outcome is outcome
    assert move.finished is not None


@pytest.mark.parametrize("way_back", [True, False], ids=["there is a way back", "there is none"])
def test_a_target_that_does_not_come_up_is_moved_back_from_if(way_back: bool) -> None:
    seen = WRITTEN._replace(source_promotable=way_back)
    _, effects = run(
        FAILOVER, (0.0, SILENT), (0.1, SILENT), (0.2, seen), (60.1, seen), (60.2, seen)
    )
    assert effects[3] == []
    assert ending(effects[4]).move_back is way_back


def test_nothing_is_written_before_step_3_whatever_is_seen() -> None:
    for seen in (WELL, STOPPED, SILENT, STOPPED._replace(synced=True)):
        move = Move(SWITCHOVER, 0.0)
        for second in range(19):
            effects = move.advance(float(second), seen)
            if move.step < Step.WRITE:
                assert not any(isinstance(effect, WriteRecord) for effect in effects)
