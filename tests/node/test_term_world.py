"""The simulation itself: its clocks, standstills and links behave, and its checker can fail."""

from __future__ import annotations

import pytest

from .term_sim.faults import Fault, plan_faults
from .term_sim.world import Noise, World


def times_of(world: World, name: str, delay: float) -> list[float]:
    """Where the true times will be noted at which a timer of a machine, set now, fires."""
    fired: list[float] = []
    world.hosts[name].after(delay, lambda: fired.append(world.now))
    return fired


STANDSTILLS = {
    "a timer waits out a suspend in full": (Fault(5.0, "pause", ("t440", 30.0, True)), 40.0),
    "a timer due in a freeze fires as it ends": (Fault(5.0, "pause", ("t440", 30.0, False)), 35.0),
    "a timer due after a freeze is not late": (Fault(5.0, "pause", ("t440", 2.0, False)), 10.0),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "fires"), STANDSTILLS.values(), ids=STANDSTILLS)
def test_when(fault: Fault, fires: float) -> None:
    world = World(1)
    plan_faults(world, [fault])
    fired = times_of(world, "t440", 10.0)
    world.run(60.0)
    assert fired == [pytest.approx(fires, abs=0.05)]


def test_the_clock_of_a_machine_counts_while_it_is_suspended() -> None:
    world = World(1)
    before = world.t440.clock()
    plan_faults(world, [Fault(5.0, "pause", ("t440", 30.0, True))])
    world.run(40.0)
    assert world.t440.clock() - before == pytest.approx(40.0, rel=0.02)


def test_a_power_cut_ends_timers_and_gives_a_new_boot_and_clock() -> None:
    world = World(1)
    fired = times_of(world, "pc-a", 10.0)
    boot_id = world.pc_a.boot_id
    plan_faults(world, [Fault(5.0, "power_cut", ("pc-a", 1.0))])
    world.run(20.0)
    assert fired == []
    assert world.pc_a.boot_id != boot_id
    assert world.pc_a.clock() < 80.0


def test_a_one_way_cut_stops_one_way_only() -> None:
    world = World(1)
    plan_faults(world, [Fault(1.0, "cut", ("pc-a", "pc-b", 10.0, False))])
    got: list[str] = []
    world.at(2.0, world.send, world.pc_a, world.pc_b, got.append, "there")
    world.at(2.0, world.send, world.pc_b, world.pc_a, got.append, "back")
    world.at(12.0, world.send, world.pc_a, world.pc_b, got.append, "healed")
    world.run(20.0)
    assert got == ["back", "healed"]


def test_messages_are_lost_doubled_and_overtaken() -> None:
    world = World(1, noise=Noise(late=0.2, latest=30.0, lost=0.2, doubled=0.2))
    got: list[int] = []
    for number in range(500):
        world.at(number / 10, world.send, world.pc_a, world.t440, got.append, number)
    world.run(100.0)
    assert got != sorted(got)
    assert len(set(got)) < 500
    assert len(got) > len(set(got))


def test_the_checker_sees_two_gateways_one_past_its_term_and_a_lower_record() -> None:
    world = World(1)
    world.run(20.0)
    for node in world.nodes.values():
        node.gateway.alive = node.polls = True
    world.pc_b.write(world.pc_b.state._replace(record=None))
    world.run(20.2)
    assert {"I1", "I2", "I4"} <= set(world.oracle.violations)


def test_the_checker_sees_a_start_without_a_term() -> None:
    world = World(1)
    world.oracle.started(world.pc_b)
    assert set(world.oracle.violations) == {"I5"}


def test_the_checker_sees_a_stop_with_t440_alone_down() -> None:
    world = World(1)
    plan_faults(world, [Fault(60.0, "power_cut", ("t440", 100.0))])
    world.run(70.0)
    world.pc_a.gateway.stop()
    assert set(world.oracle.violations) == {"I6"}
