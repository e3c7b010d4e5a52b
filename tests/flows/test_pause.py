"""A pause on three machines: what is held back, what goes on, who is told, and how it ends."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from deployments.demo.processes import wait_until
from flows.drill import drill
from flows.failure_handling import Action, failure_handling
from flows.health_check import health_check
from flows.memory_sync import memory_sync
from flows.pause import pause, resume
from flows.recovery import switchover
from flows.status import status
from tasks.core.errors import Paused
from tasks.core.pause import Pause
from tasks.core.state import Health, Moment, Record
from tasks.journal import read_journal
from tasks.pause import load_pause, pause_file, save_pause
from tasks.record import read_record
from tests.flows.runs import alerts, last_name, run_state, versions
from tests.site_machines import Ground

LISTENER = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    " time.sleep(600)"
)
WOULD = "Paused (new switch): would have failed over to pc-b: pc-a silent for "


def check(place: Ground) -> tuple[str, str]:
    """(state name, message) of one check."""
    state = run_state(health_check, place.site_file)
    return str(state.name), str(state.message)


def told(place: Ground, part: str) -> list[str]:
    """The levels of the alerts with these words, oldest first."""
    return [level for level, text in alerts(place) if part in text]


def kept(place: Ground) -> Pause:
    found = load_pause(place.site)
    assert found is not None
    return found


def test_a_power_cut_while_paused_moves_nothing_and_after_resume_the_next_check_fails_over(
    serving: Ground,
) -> None:
    check(serving)
    pause("new switch", site_file=serving.site_file)
    assert check(serving)[1].startswith("pc-a serves; paused until 20")
    serving.three.nodes["pc-a"].power_cut()
    wait_until(lambda: check(serving)[1].startswith(WOULD), 40, "a check would have moved")
    assert check(serving)[0] == "Degraded", "it is told once, and then lasts"
    assert last_name(health_check).startswith(WOULD)
    assert told(serving, WOULD) == ["critical"]
    assert versions("joe-status")[0].startswith(f"# {WOULD}")
    assert read_record(serving.site) == Record(1, "pc-a")
    assert [entry for entry in read_journal(serving.site) if entry["kind"] == "move"] == []
    assert serving.call("pc-b", "observe")["gateway"]["serving"] is False
    resume(serving.site_file)
    assert check(serving)[0] == "Moved"
    assert serving.health("pc-b") is Health.OK
    assert read_record(serving.site) == Record(2, "pc-b")


def test_a_failback_that_is_held_back_is_told_once(serving: Ground) -> None:
    """Joe serves on the other node: nothing is wrong, and a person hears why he stays there."""
    switchover(drain_seconds=5, site_file=serving.site_file)
    wait_until(lambda: serving.guard("pc-a") == "standby", 20, "pc-a stands by")
    memory_sync(serving.site_file)
    pause("new switch", site_file=serving.site_file)
    would = "Paused (new switch): would have failed back to pc-a: well for "
    wait_until(lambda: check(serving)[1].startswith(would), 40, "a check would have failed back")
    assert check(serving)[0] == "Completed"
    assert told(serving, would) == ["ok"]
    assert read_record(serving.site) == Record(2, "pc-b")


def test_the_maintenance_of_the_standby_raises_no_alert_and_nobody_fails_over_to_it(
    serving: Ground,
) -> None:
    check(serving)
    pause("new disk", node="pc-b", site_file=serving.site_file)
    before = alerts(serving)
    serving.three.nodes["pc-b"].power_cut()
    for _ in range(2):
        name, message = check(serving)
        assert name == "Completed"
        assert message.startswith("pc-a serves; pc-b is in maintenance until 20")
    assert run_state(drill, serving.site_file).name == "Skipped"
    assert last_name(drill).startswith("Skipped: pc-b is in maintenance until 20")
    assert alerts(serving) == before
    serving.three.nodes["pc-b"].power_on()
    wait_until(lambda: serving.guard("pc-b") == "standby", 20, "pc-b stands by")
    serving.three.nodes["pc-a"].power_cut()
    wait_until(lambda: "Nobody serves" in check(serving)[1], 40, "it is said that nobody serves")
    assert "; pc-b is in maintenance until 20" in check(serving)[1]
    assert read_record(serving.site) == Record(1, "pc-a")


@pytest.mark.parametrize("node", ["", "pc-b"], ids=["the site is paused", "it is in maintenance"])
def test_a_stray_gateway_is_killed_in_spite_of_a_pause(serving: Ground, node: str) -> None:
    """Nothing that a person pauses may leave two Joes. No guard runs on pc-b: only a check can."""
    pc_b = serving.three.nodes["pc-b"]
    pc_b.power_cut()
    pc_b.services.clear()
    pc_b.power_on()
    argv = (sys.executable, "-c", LISTENER, str(serving.site.nodes["pc-b"].gateway_port))
    pc_b.spawn(argv, {}, pc_b.log / "stray.log")
    wait_until(lambda: is_open(serving), 20, "a stray gateway is there")
    pause("new switch", node=node, site_file=serving.site_file)
    message = check(serving)[1]
    assert message.startswith("Two nodes serve: kill the gateway on pc-b")
    assert kept(serving).said in message
    assert not is_open(serving)
    assert serving.health("pc-a") is Health.OK


def is_open(place: Ground) -> bool:
    return bool(place.call("pc-b", "observe")["gateway"]["port_open"])


def test_a_person_moves_joe_in_spite_of_a_pause_and_is_told_of_it(serving: Ground) -> None:
    pause("new switch", by="Anna", site_file=serving.site_file)
    with pytest.raises(Paused, match=r"new switch"):
        failure_handling(Action.FAILOVER, "Failover", 1, serving.site_file, by_itself=True)
    assert read_record(serving.site) == Record(1, "pc-a")
    moved = switchover(drain_seconds=5, site_file=serving.site_file)
    assert moved.record == Record(2, "pc-b")
    assert f"Switchover to pc-b by hand; {kept(serving).said}. pc-b serves" in moved.told
    assert " by Anna (new switch)" in last_name(switchover)
    back = failure_handling(Action.FAILBACK, "Back home", site_file=serving.site_file)
    assert back is not None
    assert back.told.startswith(f"Back home; {kept(serving).said}. pc-a serves")
    assert kept(serving).said in last_name(failure_handling)


def test_it_ends_by_itself_with_one_alert(serving: Ground) -> None:
    pause("new switch", hours=0.1, site_file=serving.site_file)
    begun = kept(serving).begun
    assert kept(serving).seconds == 360
    past = Moment(begun.boot - 360, begun.wall - 360)
    save_pause(serving.site, replace(kept(serving), begun=past))
    assert check(serving) == ("Completed", "pc-a serves")
    assert not pause_file(serving.site).exists()
    check(serving)
    assert told(serving, "The pause is over, checks move Joe again; it was: paused until 20") == [
        "ok"
    ]


def test_while_it_lasts_a_person_is_reminded_daily(serving: Ground) -> None:
    pause("new switch", hours=168, site_file=serving.site_file)
    check(serving)
    assert told(serving, "A reminder, paused until 20") == []
    yesterday = kept(serving).told_wall - 86_400
    save_pause(serving.site, replace(kept(serving), told_wall=yesterday))
    check(serving)
    check(serving)
    assert told(serving, "A reminder, paused until 20") == ["warn"]
    assert kept(serving).told_wall > yesterday


def test_pausing_again_replaces_it_and_each_order_is_told_once(serving: Ground) -> None:
    for _ in range(2):
        pause("new switch", hours=100, by="Anna", site_file=serving.site_file)
    first = told(serving, "From now on paused until 20")
    assert len(first) <= 2, "a second one only when the minute has turned between the two"
    assert set(first) == {"ok"}
    pause("new  disk\n", node="pc-b", site_file=serving.site_file)
    assert (kept(serving).reason, kept(serving).node, kept(serving).by) == ("new disk", "pc-b", "")
    assert len(told(serving, "(instead of: paused until 20")) == 1
    assert "paused or latched: pc-b is in maintenance until 20" in status(serving.site_file)
    assert resume(serving.site_file).startswith(
        "Resumed, checks move Joe again; it was: pc-b is in"
    )
    assert resume(serving.site_file) == "Nothing was paused"
    assert told(serving, "Resumed") == ["ok"]
    assert "paused or latched: nothing" in status(serving.site_file)


def test_a_pause_that_cannot_be_read_is_told_and_holds_nothing(serving: Ground) -> None:
    pause_file(serving.site).write_text('{"reason": "new sw')
    assert check(serving) == ("Completed", "pc-a serves")
    check(serving)
    assert told(serving, "The pause on T440's disk could not be read: it is over") == ["warn"]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        pytest.param({"reason": "ab"}, "reason", id="no reason to speak of"),
        pytest.param({"reason": "x" * 501}, "reason", id="a reason too long for a line"),
        pytest.param({"reason": "new disk", "hours": 0}, "hours", id="for no time"),
        pytest.param({"reason": "new disk", "hours": 169}, "hours", id="for more than a week"),
        pytest.param({"reason": "new disk", "hours": float("nan")}, "hours", id="for ever"),
        pytest.param({"reason": "new disk", "node": "pc-c"}, "pc-c", id="an unknown node"),
    ],
)
def test_a_wrong_order_pauses_nothing(serving: Ground, order: dict[str, object], why: str) -> None:
    state = run_state(pause, serving.site_file, **order)
    assert state.is_failed()
    assert why in str(state.message)
    assert load_pause(serving.site) is None
