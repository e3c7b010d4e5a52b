"""Moves: planned ones lose nothing or are not made; every one is one write and one true alert."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deployments.demo.ledger import account
from deployments.demo.openclaw.install import AGENTS
from deployments.demo.processes import wait_until
from deployments.demo.story import frozen
from flows.failure_handling import Action, failure_handling
from flows.health_check import health_check
from flows.memory_sync import memory_sync
from flows.recovery import failback, force_failover, switchover
from tasks.core.errors import MoveHeld, NotPromotable, Refused
from tasks.core.state import Health, Record
from tasks.journal import move_lock, read_journal
from tasks.record import read_record
from tests.flows.runs import alerts, run_state
from tests.site_machines import Ground


def moves(place: Ground) -> list[str]:
    """The moves in the journal, by their reasons."""
    return [entry["reason"] for entry in read_journal(place.site) if entry["kind"] == "move"]


def assert_serves_alone(place: Ground, name: str, epoch: int) -> None:
    other = place.site.other(name)
    assert place.health(name) is Health.OK
    assert place.call(other, "observe")["gateway"]["serving"] is False
    assert read_record(place.site) == Record(epoch, name)


def assert_nothing_is_lost(place: Ground, serving: str) -> None:
    """By the ledger that the writers kept outside the machines; the gateway is held still."""
    live = {agent: place.three.workspace(serving, agent) for agent in AGENTS}
    stores = [node.state / "stores" / "memory" for node in place.three.nodes.values()]
    with frozen(place.call(serving, "observe")["gateway"]["pids"]):
        found = account(place.three.ledger, live, stores)
    assert found.written > 10
    assert found.lost == []


def test_a_switchover_there_and_a_failback_lose_nothing(serving: Ground) -> None:
    moved = switchover(drain_seconds=5, site_file=serving.site_file)
    assert moved.record == Record(2, "pc-b")
    assert_serves_alone(serving, "pc-b", 2)
    written = len(read_lines(serving))
    wait_until(lambda: len(read_lines(serving)) > written + 4, 20, "pc-b writes notes")
    failback(drain_seconds=5, site_file=serving.site_file)
    assert_serves_alone(serving, "pc-a", 3)
    assert moves(serving) == ["Switchover to pc-b by hand", "Failback to pc-a by hand"]
    assert all(
        "nothing was left behind" in text for _, text in alerts(serving) if "by hand" in text
    )
    assert_nothing_is_lost(serving, "pc-a")


def check_until_moved(place: Ground) -> None:
    wait_until(
        lambda: run_state(health_check, place.site_file).name == "Moved", 40, "a check moved Joe"
    )


def read_lines(place: Ground) -> list[str]:
    return (place.three.ledger / "ledger.jsonl").read_text().splitlines()


def test_memory_written_on_pc_b_while_it_served_is_never_deleted(serving: Ground) -> None:
    """Power cut, failover, notes on pc-b, return, merge, automatic failback."""
    pc_a = serving.three.nodes["pc-a"]
    late = serving.three.workspace("pc-a") / "memory" / "2026-11-24-never-synced.md"
    late.write_text("# Written a moment before the power cut\n")
    pc_a.power_cut()
    check_until_moved(serving)
    assert serving.health("pc-b") is Health.OK
    note = serving.three.workspace("pc-b") / "memory" / "2026-11-24-by-pc-b.md"
    note.write_text("# Written on pc-b while it served\n")
    written = len(read_lines(serving))
    wait_until(lambda: len(read_lines(serving)) > written + 4, 20, "pc-b writes notes")
    pc_a.power_on()
    wait_until(lambda: serving.guard("pc-a") == "standby", 20, "pc-a stands by")
    memory_sync(serving.site_file)
    check_until_moved(serving)
    assert_serves_alone(serving, "pc-a", 3)
    kept = serving.three.workspace("pc-a") / "memory"
    assert (kept / note.name).read_text() == "# Written on pc-b while it served\n"
    assert (kept / late.name).read_text() == "# Written a moment before the power cut\n"
    assert_nothing_is_lost(serving, "pc-a")


def test_a_node_that_does_not_start_is_moved_back_from(serving: Ground) -> None:
    serving.fault("pc-b", "crash-at-start")
    moved = switchover(drain_seconds=5, site_file=serving.site_file)
    assert moved.record == Record(3, "pc-a")
    assert_serves_alone(serving, "pc-a", 3)
    told = [text for level, text in alerts(serving) if level == "critical"]
    assert len(told) == 1
    assert "pc-b was not seen to serve" in told[0]


def test_a_switchover_to_a_node_that_is_away_is_not_made(serving: Ground) -> None:
    serving.three.nodes["pc-b"].power_cut()
    state = run_state(switchover, serving.site_file, drain_seconds=5)
    assert state.is_failed()
    assert_serves_alone_still(serving)


def assert_serves_alone_still(place: Ground) -> None:
    assert place.health("pc-a") is Health.OK
    assert read_record(place.site) == Record(1, "pc-a")
    assert moves(place) == []


def test_a_refused_final_sync_lets_the_old_holder_go_on(serving: Ground) -> None:
    """The memory on pc-a was emptied: it is not carried over, and Joe stays where he is."""
    for agent in AGENTS:
        for file in serving.three.workspace("pc-a", agent).rglob("*.md"):
            file.write_bytes(b"")
    with pytest.raises(Refused):
        switchover(drain_seconds=5, site_file=serving.site_file)
    assert_serves_alone_still(serving)


def test_a_move_that_was_given_up_after_the_drain_ends_when_the_old_holder_serves_again(
    serving: Ground,
) -> None:
    """Else the next check tells of a gateway that does not serve: it was this move's doing."""

    def empty_memory_once_drained() -> None:
        wait_until(lambda: serving.health("pc-a") is not Health.OK, 30, "pc-a is drained", 0.02)
        for agent in AGENTS:
            for file in serving.three.workspace("pc-a", agent).rglob("*.md"):
                file.write_bytes(b"")

    ruin = threading.Thread(target=empty_memory_once_drained)
    ruin.start()
    with pytest.raises(Refused, match=r"pc-a goes on: .*the final memory sync failed"):
        switchover(drain_seconds=5, site_file=serving.site_file)
    ruin.join()
    assert_serves_alone_still(serving)


def test_a_failover_to_a_node_without_memory_is_not_made(place: Ground) -> None:
    with pytest.raises(NotPromotable, match="pc-b has no verified memory"):
        failure_handling(site_file=place.site_file, reason="by hand")
    assert_serves_alone_still(place)


def test_force_failover_wants_the_name_typed_and_says_what_it_costs(serving: Ground) -> None:
    with pytest.raises(Refused, match=r'type confirm="pc-b"; what pc-a wrote since'):
        force_failover(confirm="yes", site_file=serving.site_file)
    assert_serves_alone_still(serving)
    force_failover(confirm="pc-b", site_file=serving.site_file)
    assert_serves_alone(serving, "pc-b", 2)


def test_two_moves_at_once_are_one_move(serving: Ground) -> None:
    with move_lock(serving.site), pytest.raises(MoveHeld):
        switchover(drain_seconds=5, site_file=serving.site_file)
    assert_serves_alone_still(serving)


def test_a_decision_on_a_record_that_changed_is_not_carried_out(serving: Ground) -> None:
    switchover(drain_seconds=5, site_file=serving.site_file)
    assert failure_handling(Action.FAILOVER, "decided earlier", 1, serving.site_file) is None
    assert_serves_alone(serving, "pc-b", 2)


def test_there_is_nothing_to_fail_back_while_the_preferred_node_serves(serving: Ground) -> None:
    with pytest.raises(Refused, match="nothing to fail back"):
        failback(drain_seconds=5, site_file=serving.site_file)


def test_a_wrong_site_file_stops_a_flow_before_it_does_anything(
    serving: Ground, tmp_path: Path
) -> None:
    wrong = tmp_path / "site.yaml"
    wrong.write_text(serving.site_file.read_text().replace("preferred:", "prefered:"))
    state = run_state(switchover, wrong, drain_seconds=5)
    assert state.is_failed()
    assert "prefered: there is no such field" in str(state.message)
    assert_serves_alone_still(serving)
