"""Whole checks on three machines: what they see, do and say."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from deployments.demo.processes import send
from flows.health_check import health_check
from flows.memory_sync import memory_sync
from tasks.core.state import Health, Record
from tasks.journal import load_history, move_lock
from tasks.record import read_record
from tests.flows.runs import (
    alerts,
    last_name,
    run_late,
    run_scheduled,
    run_state,
    schedule,
    state_names,
)
from tests.site_machines import Ground


def check(place: Ground) -> tuple[str, str]:
    """(state name, message) of one check."""
    state = run_state(health_check, place.site_file)
    return str(state.name), str(state.message)


def gateway(place: Ground, name: str) -> bool:
    found = place.call(name, "observe")["gateway"]
    return bool(found["pids"]) or bool(found["port_open"])


def test_the_first_check_starts_joe_and_says_so(place: Ground) -> None:
    started = ("Completed", "Start pc-a: it answers, nothing runs there, the record names it")
    assert check(place) == started
    place.await_health("pc-a", Health.OK)
    assert not gateway(place, "pc-b")
    assert last_name(health_check) == started[1]


def test_without_memory_on_the_standby_a_check_fails_once_and_is_degraded_after(
    place: Ground,
) -> None:
    place.start("pc-a")
    reason = "pc-a serves, but nobody could take over: pc-b has no verified memory"
    assert check(place) == ("Failed", reason)
    assert check(place) == ("Degraded", reason)
    memory_sync(place.site_file)
    assert check(place) == ("Completed", "pc-a serves")
    assert alerts(place) == [("warn", reason), ("ok", "pc-a serves")]


def test_a_power_cut_fails_over_with_one_alert_that_is_true(serving: Ground) -> None:
    check(serving)
    serving.three.nodes["pc-a"].power_cut()
    name, message = check(serving)
    assert name == "Moved", message
    assert message.startswith("Failover to pc-b: pc-a silent for ")
    assert "heard by nobody. pc-b serves" in message
    assert serving.health("pc-b") is Health.OK
    assert read_record(serving.site) == Record(2, "pc-b")
    assert serving.call("pc-b", "record read")["record"] == {"epoch": 2, "holder": "pc-b"}
    told = alerts(serving)
    assert [level for level, text in told if "Failover" in text] == ["warn"]
    assert len(load_history(serving.site).failovers) == 1


def test_one_miss_is_not_a_failure(serving: Ground) -> None:
    """pc-a does not answer for 4 s and then does: no move, and the check ends well."""
    pids = serving.three.nodes["pc-a"].pids()
    send(pids, signal.SIGSTOP)
    wake = threading.Timer(4, send, (pids, signal.SIGCONT))
    wake.start()
    try:
        assert check(serving) == ("Completed", "pc-a serves")
    finally:
        wake.join()
    assert read_record(serving.site) == Record(1, "pc-a")


def test_a_stopped_standby_does_not_mean_that_both_are_down(serving: Ground) -> None:
    assert not gateway(serving, "pc-b")
    assert check(serving) == ("Completed", "pc-a serves")
    assert gateway(serving, "pc-a")


def test_a_hung_gateway_is_restarted_in_place_once(serving: Ground) -> None:
    check(serving)
    serving.fault("pc-a", "hang")
    serving.await_health("pc-a", Health.TIMEOUT)
    assert "left alone" in check(serving)[1]
    serving.fault("pc-a", "hang", on=False)
    for pid in serving.call("pc-a", "observe")["gateway"]["pids"]:
        os.kill(pid, signal.SIGSTOP)  # hangs still, but a new process will not
    assert check(serving)[1].startswith("Restart pc-a in place: its gateway hangs")
    serving.await_health("pc-a", Health.OK)
    assert read_record(serving.site) == Record(1, "pc-a")


def test_restarted_in_vain_it_fails_over_and_takes_the_last_memory_along(serving: Ground) -> None:
    """The disk can still be read: a note written a moment before is on pc-b before it starts."""
    note = serving.three.workspace("pc-a") / "memory" / "2026-11-24-last-words.md"
    note.write_text("# Last words\n")
    serving.fault("pc-a", "crash-at-start")
    serving.call("pc-a", "gateway kill")
    seen = []
    for _ in range(12):
        seen.append(check(serving))
        if seen[-1][0] == "Moved":
            break
    assert seen[-1][0] == "Moved", seen
    assert "nothing was left behind" in seen[-1][1]
    assert any(message.startswith("Restart pc-a in place") for _, message in seen)
    copy = serving.three.workspace("pc-b") / "memory" / note.name
    assert copy.read_text() == "# Last words\n"
    assert serving.health("pc-b") is Health.OK


def test_a_hand_start_on_the_wrong_node_is_fenced_and_the_holder_is_not_touched(
    serving: Ground,
) -> None:
    before = serving.call("pc-a", "observe")["gateway"]["pids"]
    machine = serving.three.nodes["pc-b"]
    machine.spawn((f"{machine.home}/bin/openclaw", "gateway", "run"), {}, machine.log / "hand.log")
    serving.await_health("pc-b", Health.OK)
    name, message = check(serving)
    assert message == "Two nodes serve: kill the gateway on pc-b, the record names pc-a"
    assert name == "Failed"
    assert not gateway(serving, "pc-b")
    assert serving.call("pc-a", "observe")["gateway"]["pids"] == before
    assert check(serving) == ("Completed", "pc-a serves")


def test_when_both_are_gone_it_is_said_once_and_nothing_is_moved(serving: Ground) -> None:
    check(serving)
    for node in serving.three.nodes.values():
        node.power_cut()
    first, second = check(serving), check(serving)
    assert first[0] == "Failed"
    assert "Nobody serves" in first[1]
    assert second[0] == "Degraded"
    assert [level for level, _ in alerts(serving)].count("critical") == 1
    assert read_record(serving.site) == Record(1, "pc-a")


def test_while_a_move_is_under_way_a_check_does_nothing(serving: Ground) -> None:
    with move_lock(serving.site):
        assert check(serving)[0] == "Moving"


def test_a_node_that_was_away_is_told_the_record_before_it_could_start_anything(
    serving: Ground,
) -> None:
    serving.three.nodes["pc-a"].power_cut()
    check(serving)
    serving.three.nodes["pc-a"].power_on()
    assert serving.call("pc-a", "record read")["record"] == {"epoch": 1, "holder": "pc-a"}
    check(serving)
    assert serving.call("pc-a", "record read")["record"] == {"epoch": 2, "holder": "pc-b"}
    assert not gateway(serving, "pc-a")


@pytest.mark.parametrize(("late", "name"), [(60.0, "Stale"), (2.0, "Failed")])
def test_a_check_more_than_20_s_late_does_nothing(place: Ground, late: float, name: str) -> None:
    place.start("pc-a")
    assert run_late(health_check, place.site_file, late).name == name


def test_a_stale_check_skips_those_that_waited_too_long_as_well(place: Ground) -> None:
    """The backlog of an hour costs one process, not one for each of its runs."""
    runs = schedule(health_check, place.site_file, 90, 60, 30, 5, -60)
    run_scheduled(health_check, runs[0])
    names = state_names(runs)
    assert names[:3] == ["Stale"] * 3
    assert "Stale" not in names[3:], "one that is 5 s late, and one that is not due"
