"""Whole checks on three machines: what they see, do and say."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.client.schemas.objects import FlowRun

from deployments.demo.processes import read_command, send, wait_until
from flows.health_check import health_check
from flows.memory_sync import memory_sync
from tasks.core.state import Health, Record
from tasks.journal import is_moving, load_history, move_lock
from tasks.record import read_record
from tasks.remote.nodes import close_site
from tests.flows.runs import (
    alerts,
    last_name,
    last_run,
    run_late,
    run_scheduled,
    run_state,
    schedule,
    state_names,
    task_states,
)
from tests.site_machines import Ground


def check(place: Ground) -> tuple[str, str]:
    """(state name, message) of one check."""
    state = run_state(health_check, place.site_file)
    return str(state.name), str(state.message)


def check_until(place: Ground, wanted: str) -> list[tuple[str, str]]:
    """Checks until one ends in this state; all of them. Right after a death the node is still
    heard, so that the first ones move nothing.
    """
    seen: list[tuple[str, str]] = []

    def ended() -> bool:
        seen.append(check(place))
        return seen[-1][0] == wanted

    wait_until(ended, 40, f"a check ends as {wanted}")
    return seen


def gateway(place: Ground, name: str) -> bool:
    return bool(place.call(name, "observe")["gateway"]["serving"])


def test_without_memory_on_the_standby_a_check_is_degraded_until_there_is_some(
    place: Ground,
) -> None:
    reason = "pc-a serves, but nobody could take over: pc-b has no verified memory"
    assert check(place) == ("Degraded", reason)
    assert last_name(health_check) == reason
    memory_sync(place.site_file)
    assert check(place) == ("Completed", "pc-a serves")
    assert alerts(place) == [("warn", reason), ("ok", "pc-a serves")]


def test_a_check_fails_once_for_a_change_for_the_worse_and_is_degraded_after(
    serving: Ground,
) -> None:
    check(serving)
    serving.three.nodes["pc-b"].power_cut()
    reason = "pc-a serves, but nobody could take over: pc-b is unreachable"
    assert check(serving) == ("Failed", reason)
    assert check(serving) == ("Degraded", reason)


def test_a_power_cut_fails_over_with_one_alert_that_is_true(serving: Ground) -> None:
    check(serving)
    serving.three.nodes["pc-a"].power_cut()
    message = check_until(serving, "Moved")[-1][1]
    assert message.startswith("Failover to pc-b: pc-a silent for ")
    assert "heard by nobody. pc-b serves" in message
    assert serving.health("pc-b") is Health.OK
    assert read_record(serving.site) == Record(2, "pc-b")
    assert serving.call("pc-b", "record read")["record"] == {"epoch": 2, "holder": "pc-b"}
    told = alerts(serving)
    assert [level for level, text in told if "Failover" in text] == ["warn"]
    assert len(load_history(serving.site).failovers) == 1


def test_one_miss_is_not_a_failure_while_a_voter_hears_it_serve(serving: Ground) -> None:
    """pc-a's sshd takes no new connection, but its guard still asks: no move, a warning."""
    check(serving)
    close_site(serving.site)
    sshd = [pid for pid in serving.three.nodes["pc-a"].pids() if is_listening_sshd(pid)]
    send(sshd, signal.SIGSTOP)
    try:
        name, message = check(serving)
    finally:
        send(sshd, signal.SIGCONT)
    assert (name, message[:35]) == ("Failed", "No move: pc-a is unreachable, but i")
    assert check(serving) == ("Completed", "pc-a serves")
    assert read_record(serving.site) == Record(1, "pc-a")


def is_listening_sshd(pid: int) -> bool:
    return "sshd" in read_command(pid) and "listener" in read_command(pid)


def test_a_stopped_standby_does_not_mean_that_both_are_down(serving: Ground) -> None:
    assert not gateway(serving, "pc-b")
    assert check(serving) == ("Completed", "pc-a serves")
    assert gateway(serving, "pc-a")


def test_a_hung_gateway_is_left_to_its_guard_which_restarts_it_in_place(serving: Ground) -> None:
    check(serving)
    send(serving.call("pc-a", "observe")["gateway"]["pids"], signal.SIGSTOP)
    serving.await_health("pc-a", Health.TIMEOUT)
    assert check(serving)[1].endswith("left to the guard")
    serving.await_health("pc-a", Health.OK)
    assert read_record(serving.site) == Record(1, "pc-a")


def test_restarted_in_vain_it_fails_over_and_takes_the_last_memory_along(serving: Ground) -> None:
    """The disk can still be read: a note written a moment before is on pc-b before it starts."""
    note = serving.three.workspace("pc-a") / "memory" / "2026-11-24-last-words.md"
    note.write_text("# Last words\n")
    serving.fault("pc-a", "crash-at-start")
    serving.call("pc-a", "gateway kill")
    seen = check_until(serving, "Moved")
    assert "nothing was left behind" in seen[-1][1]
    assert any(message.endswith("left to the guard") for _, message in seen)
    copy = serving.three.workspace("pc-b") / "memory" / note.name
    assert copy.read_text() == "# Last words\n"
    assert serving.health("pc-b") is Health.OK


def test_when_both_are_gone_it_is_said_once_and_nothing_is_moved(serving: Ground) -> None:
    check(serving)
    for machine in serving.three.nodes.values():
        machine.power_cut()
    wait_until(lambda: "Nobody serves" in check(serving)[1], 40, "it is said")
    assert check(serving)[0] == "Degraded"
    assert [level for level, _ in alerts(serving)].count("critical") == 1
    assert read_record(serving.site) == Record(1, "pc-a")


def test_while_a_move_is_under_way_a_check_does_nothing(serving: Ground) -> None:
    with move_lock(serving.site):
        assert check(serving)[0] == "Moving"


def test_a_move_that_begins_while_a_check_looks_is_left_to_tell_its_own_story(
    serving: Ground,
) -> None:
    """Without it the check told of a new holder that does not serve: it had been named just now."""
    check(serving)
    told, before = alerts(serving), last_run(health_check)
    serving.three.nodes["pc-a"].power_cut()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(check, serving)
        wait_until(lambda: has_looked_since(before), 10, "the check has looked once")
        with move_lock(serving.site):
            serving.fault("pc-b", "crash-at-start")  # it does not serve while the check looks
            serving.write_record(2, "pc-b")
            assert looking.result()[0] == "Moving"
    assert alerts(serving) == told


def has_looked_since(before: FlowRun) -> bool:
    """Whether the first look of the next check is done."""
    run = last_run(health_check)
    return run.id != before.id and "Completed" in task_states(run, "observe")


def test_a_check_that_asks_whether_a_move_is_under_way_never_keeps_one_from_beginning(
    place: Ground,
) -> None:
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            is_moving(place.site)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask)
        try:
            for _ in range(2000):
                with move_lock(place.site):
                    pass
        finally:
            over.set()


def test_a_node_that_was_away_learns_the_record_and_stands_by(serving: Ground) -> None:
    serving.three.nodes["pc-a"].power_cut()
    check_until(serving, "Moved")
    serving.three.nodes["pc-a"].power_on()
    wait_until(lambda: serving.guard("pc-a") == "standby", 20, "pc-a stands by")
    assert serving.call("pc-a", "record read")["record"] == {"epoch": 2, "holder": "pc-b"}
    assert not gateway(serving, "pc-a")


@pytest.mark.parametrize(("late", "name"), [(60.0, "Stale"), (2.0, "Degraded")])
def test_a_check_more_than_20_s_late_does_nothing(place: Ground, late: float, name: str) -> None:
    assert run_late(health_check, place.site_file, late).name == name


def test_a_stale_check_skips_those_that_waited_too_long_as_well(place: Ground) -> None:
    """The backlog of an hour costs one process, not one for each of its runs."""
    runs = schedule(health_check, place.site_file, 90, 60, 30, 5, -60)
    run_scheduled(health_check, runs[0])
    names = state_names(runs)
    assert names[:3] == ["Stale"] * 3
    assert "Stale" not in names[3:], "the newest that is due, and one that is not due"
