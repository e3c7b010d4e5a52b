"""T440 decides with the real flows on a real Prefect; its parts die at the worst moments."""

from __future__ import annotations

import signal
import statistics

from deployments.demo.processes import read_command, send
from tests.lab.prefect import SERVER
from tests.lab.service import TAKEOVER_SECONDS, Service
from tests.lab.takeovers import only_the_schedule, only_the_voter, takeovers, tell

MEDIAN_SECONDS = 37.0
VOTER_SECONDS = 30.0  # 21 until the votes are free, 3 of the gateway's start
ROUNDS = 3
FLOWS = ("prefect.engine", "prefect worker", "deployments.worker")  # in their command lines


def test_the_serving_node_loses_power_three_times(joe: Service) -> None:
    """A check each 30 s alone decides; the phase of the cut in the schedule is as it comes."""
    prefect = only_the_schedule(joe)
    took = list(takeovers(joe, prefect, ROUNDS))
    joe.say(tell(took))
    joe.say(prefect.told())
    assert max(took) <= TAKEOVER_SECONDS
    assert statistics.median(took) <= MEDIAN_SECONDS


def test_the_serving_node_loses_power_and_t440_s_voter_starts_a_check(joe: Service) -> None:
    """At once after H: what is waited for is the end of the votes lent to the dead node."""
    prefect = only_the_voter(joe)
    took = list(takeovers(joe, prefect, ROUNDS))
    joe.say(tell(took))
    joe.say(prefect.told())
    assert max(took) <= VOTER_SECONDS


def test_a_planned_move_by_hand_while_an_agent_works(joe: Service) -> None:
    """The run may finish within the operator's limit; checks go on, and nobody is cut off."""
    prefect = joe.start_prefect(check_seconds=5.0)
    joe.site.fault(joe.pc_a, "run")
    ordered = joe.oracle.now()
    run = prefect.start_run("switchover/joe", drain_seconds=120)
    wait_until_drained(joe)
    drained = joe.oracle.now()
    joe.serves_on(joe.pc_a, 15)  # longer than a drain lasts by itself: it is renewed
    joe.site.fault(joe.pc_a, "run", None)
    live = joe.wait_until_live(joe.pc_b, 60) - ordered
    ended = prefect.wait_for_run(run, 60)
    joe.say(f"drained after {drained - ordered:.1f} s; pc-b served {live:.1f} s after the order")
    joe.say(f"{ended['state_name']}: {ended['name']}\n{prefect.told()}")
    assert ended["state_type"] == "COMPLETED"
    assert "A move is under way" in prefect.told()


def test_the_flow_and_its_worker_are_killed_during_a_drain(joe: Service) -> None:
    """Nothing was written: the drain lapses, and the old holder serves on."""
    prefect = joe.start_prefect()
    joe.site.fault(joe.pc_a, "run")
    prefect.start_run("switchover/joe", drain_seconds=120)
    wait_until_drained(joe)
    killed = kill_flows(joe)
    joe.site.fault(joe.pc_a, "run", None)  # the agent is done: the drained gateway ends
    joe.oracle.wait_for(seconds=15)
    live = joe.wait_until_live(joe.pc_a, 45) - killed
    joe.say(f"pc-a served again {live:.1f} s after the flow and the worker were killed")
    assert set(joe.epochs().values()) == {1}


def test_the_flow_and_its_worker_are_killed_right_after_the_one_write(joe: Service) -> None:
    """The record is both the intent and the result: the move is completed without them."""
    prefect = joe.start_prefect()
    ordered = joe.oracle.now()
    prefect.start_run("switchover/joe")
    joe.t440.wait_until(lambda: joe.site.record(joe.t440) == (2, "pc-b"), 60, "the write")
    killed = kill_flows(joe)
    live = joe.wait_until_live(joe.pc_b, 45)
    joe.say(f"pc-b served {live - killed:.1f} s after the kill, {live - ordered:.1f} s in all")
    assert joe.epochs() == {"t440": 2, "pc-a": 2, "pc-b": 2}


def test_prefect_s_server_is_away_and_then_the_serving_node_dies(joe: Service) -> None:
    """Terms do not pass through it: Joe serves on. What nobody decides waits for the next check."""
    prefect = joe.start_prefect()
    prefect.stop(SERVER)
    kill_flows(joe)
    joe.serves_on(joe.pc_a, 24)
    joe.pc_a.power_cut()
    lost = joe.oracle.now()
    joe.pc_b.wait_until(lambda: joe.oracle.now() > lost + 25, 30, "25 s have passed")
    assert joe.oracle.running == ()
    prefect.start(SERVER)
    back = joe.oracle.now()
    live = joe.wait_until_live(joe.pc_b, 90) - back
    joe.say(f"pc-b served {live:.1f} s after Prefect's server was started again")
    joe.say(prefect.told())


def test_the_other_node_cannot_start_its_gateway(joe: Service) -> None:
    """Moved back after the limit; it is 60 s by default, 15 s here."""
    joe.site.fault(joe.pc_b, "crash-at-start")
    prefect = joe.start_prefect(watch_seconds=15.0)
    ordered = joe.oracle.now()
    run = prefect.start_run("switchover/joe")
    joe.oracle.wait_for(seconds=60)
    live = joe.wait_until_live(joe.pc_a, 90) - ordered
    ended = prefect.wait_for_run(run, 60)
    joe.say(f"pc-a served again {live:.1f} s after the order: {ended['state_name']}")
    joe.say("\n".join(joe.alerts()))
    assert joe.epochs()["t440"] == 3
    assert any("pc-b was not seen to serve" in text for text in joe.alerts())


def test_the_guard_hangs_and_only_the_fuse_ends_its_gateway(joe: Service) -> None:
    """T440 still sees the node: a guard that is silent for H is as good as a lost one."""
    prefect = joe.start_prefect()
    joe.without_watchdog(joe.pc_a)
    hung = joe.oracle.now()
    joe.stop_guard(joe.pc_a)
    gone = joe.oracle.wait_for(seconds=22) - hung
    live = joe.wait_until_live(joe.pc_b, 75) - hung
    joe.say(f"the fuse acted after {gone:.1f} s; pc-b served after {live:.1f} s")
    joe.say(prefect.told())


def test_t440_has_no_way_into_the_serving_node(joe: Service) -> None:
    """Its key was taken away there: the voters still hear the node, so nobody moves."""
    prefect = joe.start_prefect(check_seconds=5.0)
    joe.close_door("pc-a", "rpc")
    joe.serves_on(joe.pc_a, 24)
    joe.say(prefect.told())
    assert set(joe.epochs().values()) == {1}
    assert "No move: pc-a is not the node we know" in prefect.told()


def wait_until_drained(joe: Service) -> None:
    """Until pc-a's guard has heard the drain."""
    joe.pc_a.wait_until(lambda: joe.status(joe.pc_a).get("drained") is True, 45, "it is drained")


def kill_flows(joe: Service) -> float:
    """SIGKILL every run and every worker of T440; returns when, by the oracle's clock."""
    commands = {pid: read_command(pid) for pid in joe.t440.group.pids()}
    flows = [pid for pid, line in commands.items() if any(word in line for word in FLOWS)]
    send(flows, signal.SIGKILL)
    return joe.oracle.now()
