"""A machine is off, frozen, or back again: the other one serves, and never both."""

from __future__ import annotations

import pytest

from tests.lab.service import TAKEOVER_SECONDS, Service


def test_the_serving_node_loses_power(joe: Service) -> None:
    """The other one takes over; the first returns as a standby, at the new epoch."""
    lost = joe.oracle.now()
    joe.pc_a.power_cut()
    began = joe.oracle.wait_for("pc-b", seconds=TAKEOVER_SECONDS)
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS) - lost
    joe.say(f"pc-b began {began - lost:.1f} s after the power cut, and served after {live:.1f} s")
    assert live <= TAKEOVER_SECONDS
    joe.pc_a.start()
    joe.wait_until_standby(joe.pc_a, 2, 30)
    assert joe.oracle.running == ("pc-b",)


def test_the_serving_node_loses_power_and_only_the_schedule_decides(joe: Service) -> None:
    """A check each 30 s, and none at once after the silence: still within the promise."""
    joe.decide(every=30.0)
    lost = joe.oracle.now()
    joe.pc_a.power_cut()
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS + 15) - lost
    joe.say(f"pc-b served {live:.1f} s after the power cut")
    assert live <= TAKEOVER_SECONDS


def test_the_serving_node_is_frozen_for_a_minute_and_thawed(joe: Service) -> None:
    """Its gateway is dead before its guard could ask anybody, and it stands by."""
    frozen = joe.freeze(joe.pc_a)
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS) - frozen
    joe.pc_b.wait_until(lambda: joe.oracle.now() >= frozen + 60, 60, "a minute has passed")
    thawed = joe.thaw(joe.pc_a)
    gone = joe.oracle.wait_for("pc-b", seconds=5) - thawed
    joe.say(f"pc-b served after {live:.1f} s; pc-a's gateway was dead {gone:.2f} s after the thaw")
    assert live <= TAKEOVER_SECONDS
    assert gone <= 2.0
    joe.wait_until_standby(joe.pc_a, 2, 15)


def test_t440_is_off_and_then_the_serving_node_dies(joe: Service) -> None:
    """Without T440 Joe serves on; without T440 and pc-a nobody may decide, and pc-b says so."""
    joe.t440.power_cut()
    joe.serves_on(joe.pc_a, 45)
    joe.pc_a.power_cut()
    joe.pc_b.wait_until(lambda: joe.oracle.running == (), 5, "no gateway runs")
    silent_since = joe.oracle.now()
    joe.pc_b.wait_until(lambda: joe.oracle.now() > silent_since + 30, 40, "30 s have passed")
    told = joe.status(joe.pc_b)
    joe.say(f"pc-b says: {told['state']}: {told['why']}; {told['links']}")
    assert joe.oracle.running == ()
    assert told["state"] == "standby"
    assert all(link["trouble"] for link in told["links"].values())
    joe.t440.start()
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS + 30)
    joe.say(f"pc-b served {live - silent_since - 30:.1f} s after T440 was back")


def test_the_house_loses_power(joe: Service) -> None:
    """All three at once: they come back with the record alone, and withhold their votes first."""
    for host in (joe.t440, joe.pc_a, joe.pc_b):
        host.power_cut()
    joe.oracle.wait_for(seconds=5)
    for host in (joe.pc_b, joe.t440, joe.pc_a):
        host.start()
    on = joe.oracle.now()
    live = joe.wait_until_live(joe.pc_a, TAKEOVER_SECONDS) - on
    joe.say(f"pc-a served again {live:.1f} s after the last machine was up")
    assert joe.watchdog.moves == []
    assert joe.epochs() == {"t440": 1, "pc-a": 1, "pc-b": 1}


@pytest.mark.parametrize("lost", ["lost", "restored older"])
def test_t440_comes_back_with_its_record(joe: Service, lost: str) -> None:
    """It takes over the higher epoch from the nodes, and lends no vote before that."""
    joe.move("pc-b")
    joe.oracle.wait_for("pc-b", seconds=20)
    joe.wait_until_live(joe.pc_b, 20)
    joe.leave_undecided()
    joe.t440.power_cut()
    joe.auditor.forget("t440")
    record = joe.t440.home / ".dualjoe/state/record.json"
    if lost == "lost":
        record.unlink()
    else:
        record.write_text('{"epoch": 1, "holder": "pc-a"}')
    joe.t440.start()
    took = joe.t440.wait_until(lambda: joe.epochs()["t440"] == 2, 30, "the higher epoch")
    joe.say(f"T440 had the epoch 2 again {took:.1f} s after its boot")
    joe.serves_on(joe.pc_b, 5)
    assert joe.site.record(joe.t440) == (2, "pc-b")
