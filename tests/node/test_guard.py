"""The guard, the voters and the fuse as real processes: who serves, and that never two do.

Each test ends with the witness's word: no sample of the process table with two gateways.
"""

from __future__ import annotations

import json
import os
import signal

from deployments.demo.processes import wait_until
from deployments.demo.three import T440

from .terms_ground import SECONDS, Terms, boottime, stopped, terms


def test_the_holder_serves_and_the_others_lend_it_their_votes() -> None:
    with terms() as ground:
        standby = ground.status("pc-b")
        assert (standby["state"], standby["lent"]["to"]) == ("standby", "pc-a")
        assert ground.joe(T440, "observe")["lent"]["to"] == "pc-a"
        assert not ground.runs("pc-b")
        heard = ground.joe(T440, "observe")["heard"]
        assert heard["pc-a"]["serving_s"] < 3 and heard["pc-b"]["serving_s"] is None
        assert heard["pc-b"]["peer_heard_s"] < 3, "pc-b tells T440 that it heard pc-a"


def test_after_a_power_cut_the_other_takes_over_when_the_record_moves() -> None:
    with terms() as ground:
        ground.three.nodes["pc-a"].power_cut()
        ground.move((1, "pc-a"), "pc-b")
        took = ground.await_serving("pc-b", 2)
        assert took < ground.times.lent + 5, "the vote lent to pc-a runs out, and no more"
        ground.three.nodes["pc-a"].power_on()
        ground.await_state("pc-a", "standby")
        wait_until(lambda: ground.status("pc-a").get("epoch") == 2, SECONDS, "pc-a has learned")
        assert not ground.runs("pc-a")


def test_while_both_answer_a_move_takes_as_long_as_a_stop_and_a_start() -> None:
    with terms() as ground:
        ground.move((1, "pc-a"), "pc-b")
        took = ground.await_serving("pc-b", 2)
        assert took < ground.times.term, "the stopped node gives its votes back at once"
        assert ground.status("pc-a")["state"] == "standby"


def test_without_t440_the_holder_serves_on() -> None:
    with terms() as ground:
        pids = ground.gateway_pids("pc-a")
        ground.three.t440.power_cut()
        until = boottime() + 1.5 * ground.times.term
        wait_until(lambda: boottime() > until, SECONDS, "more than a term has passed")
        assert ground.gateway_pids("pc-a") == pids


def test_a_killed_guard_takes_its_gateway_with_it_and_the_next_one_starts_anew() -> None:
    with terms() as ground:
        before, guard = ground.gateway_pids("pc-a"), ground.guard_pid("pc-a")
        os.kill(guard, signal.SIGKILL)
        took = wait_until(lambda: not set(before) & set(ground.gateway_pids("pc-a")), 5, "dead")
        assert took < 1
        wait_until(lambda: ground.guard_pid("pc-a") != guard, SECONDS, "another guard")
        ground.await_serving("pc-a", 1)


def test_a_guard_that_stands_still_loses_its_gateway_to_the_fuse_inside_the_term() -> None:
    with terms() as ground, stopped(ground.guard_pid("pc-a")):
        file = json.loads((ground.three.nodes["pc-a"].run / "term.json").read_text())
        ground.move((1, "pc-a"), "pc-b")
        ground.await_none("pc-a")
        assert boottime() < file["serve_until"]
        ground.await_serving("pc-b", 2)


def test_a_node_that_is_cut_off_is_dead_by_the_end_of_its_term_and_not_before_half_of_it() -> None:
    with terms() as ground:
        begun = boottime()
        ground.cut("pc-a")
        ground.move((1, "pc-a"), "pc-b")
        ground.await_none("pc-a")
        lasted = boottime() - begun
        assert 0.4 * ground.times.term < lasted < ground.times.term
        ground.await_serving("pc-b", 2)
        ground.heal("pc-a")
        wait_until(lambda: ground.status("pc-a").get("epoch") == 2, SECONDS, "pc-a has learned")
        assert ground.status("pc-a")["state"] == "standby"


def test_a_second_guard_refuses(ground: Terms) -> None:
    again = ground.run("pc-a", "guard")
    assert again.returncode == 1
    assert "another guard runs on pc-a" in again.stderr
    assert ground.status("pc-a")["state"] == "serving"


def test_a_gateway_started_by_hand_on_the_standby_is_killed(ground: Terms) -> None:
    """Two for a moment is what a person made; it is the only test that may see two."""
    machine = ground.three.nodes["pc-b"]
    port = machine.gateway_port
    argv = (
        "/usr/bin/python3",
        "-c",
        f"import socket,time; s=socket.create_server(('127.0.0.1',{port})); time.sleep(300)",
    )
    pid = machine.spawn(argv, {}, machine.log / "hand.log")
    wait_until(lambda: pid not in machine.pids(), SECONDS, "it is dead")
    assert ground.status("pc-a")["state"] == "serving"
