"""Guards and voters as real processes: who serves, who takes over, and that never two do."""

from __future__ import annotations

from deployments.demo.processes import wait_until
from deployments.demo.three import T440

from .terms_ground import SECONDS, Terms, boottime


def test_the_holder_serves_and_the_others_lend_it_their_votes(ground: Terms) -> None:
    def all_is_known() -> bool:
        """One vote is enough to serve: the other, and what was heard, may come a moment later."""
        standby, seen = ground.status("pc-b"), ground.joe(T440, "observe")
        lent = [(standby.get("lent") or {}).get("to"), (seen["lent"] or {}).get("to")]
        heard = [
            seen["heard"].get("pc-a", {}).get("serving_s"),
            seen["heard"].get("pc-b", {}).get("peer_heard_s"),  # pc-b tells T440 that it heard pc-a
        ]
        is_recent = all(age is not None and age < 3 for age in heard)
        return standby.get("state") == "standby" and lent == ["pc-a", "pc-a"] and is_recent

    wait_until(all_is_known, SECONDS, "pc-b stands by, both lend their votes to pc-a and hear it")
    assert not ground.runs("pc-b")


def test_after_a_power_cut_the_other_takes_over_once_the_record_has_moved(ground: Terms) -> None:
    ground.three.nodes["pc-a"].power_cut()
    epoch = ground.move("pc-b")
    took = ground.await_serving("pc-b", epoch)
    assert took < ground.times.lent + 5, "the vote lent to pc-a runs out, and no more"
    ground.three.nodes["pc-a"].power_on()
    ground.await_epoch("pc-a", epoch)
    assert ground.status("pc-a")["state"] == "standby"


def test_while_both_answer_a_move_takes_as_long_as_a_stop_and_a_start(ground: Terms) -> None:
    epoch = ground.move("pc-b")
    took = ground.await_serving("pc-b", epoch)
    assert took < ground.times.term, "the stopped node gives its votes back at once"
    assert ground.status("pc-a")["state"] == "standby"


def test_without_t440_the_holder_serves_on(ground: Terms) -> None:
    pids = ground.gateway_pids("pc-a")
    ground.three.t440.power_cut()
    until = boottime() + 1.5 * ground.times.term
    wait_until(lambda: boottime() > until, SECONDS, "more than a term has passed")
    assert ground.gateway_pids("pc-a") == pids


def test_right_after_a_move_t440_may_go_too(ground: Terms) -> None:
    epoch = ground.move("pc-b")
    ground.await_serving("pc-b", epoch)
    ground.three.t440.power_cut()
    pids, until = ground.gateway_pids("pc-b"), boottime() + 1.5 * ground.times.term
    wait_until(lambda: boottime() > until, SECONDS, "more than a term has passed")
    assert ground.gateway_pids("pc-b") == pids


def test_a_node_alone_serves_nothing_and_says_why(ground: Terms) -> None:
    ground.three.t440.power_cut()
    ground.three.nodes["pc-b"].power_cut()
    ground.await_none("pc-a")
    ground.await_state("pc-a", "waiting")
    assert "term" in ground.status("pc-a")["why"]
    said = ground.run("pc-a", "status").stdout
    assert "nobody, as far as this machine knows" in said
    assert "it last asked for a vote" in said and "off, or cut off" in said


def test_a_node_that_is_cut_off_is_dead_before_its_term_ends(ground: Terms) -> None:
    begun = boottime()
    ground.cut("pc-a")
    try:
        epoch = ground.move("pc-b")
        ground.await_none("pc-a")
        lasted = boottime() - begun
        assert 0.3 * ground.times.term < lasted < ground.times.term
        ground.await_serving("pc-b", epoch)
    finally:
        ground.heal("pc-a")
    ground.await_epoch("pc-a", epoch)
    assert ground.status("pc-a")["state"] == "standby"


def test_a_drained_node_stops_and_stays_stopped_until_the_drain_ends(ground: Terms) -> None:
    epoch = int(ground.record()["epoch"])
    ground.joe(T440, "drain write", to="pc-a", epoch=epoch, seconds=60)
    ground.await_none("pc-a")
    ground.await_state("pc-a", "waiting")
    assert ground.status("pc-a")["why"] == "the node is drained"
    assert ground.status("pc-a")["term_left"] > ground.times.margin, "it goes on renewing its term"
    ground.joe(T440, "drain end")
    ground.await_serving("pc-a", epoch)


def test_a_drain_that_nobody_renews_lapses(ground: Terms) -> None:
    epoch = int(ground.record()["epoch"])
    ground.joe(T440, "drain write", to="pc-a", epoch=epoch, seconds=1)
    ground.await_none("pc-a")
    ground.await_serving("pc-a", epoch)


def test_a_record_is_written_only_over_the_one_that_was_decided_on(ground: Terms) -> None:
    decided_on = ground.record()
    ground.move("pc-b")
    again = ground.joe(T440, "record", "write", holder="pc-b", expect=decided_on)
    assert (again["exit"], again["error"]) == (1, "refused")


def test_t440_with_a_lost_record_waits_for_both_nodes_and_takes_the_higher(ground: Terms) -> None:
    epoch = int(ground.record()["epoch"])
    ground.three.nodes["pc-b"].power_cut()
    (ground.three.t440.state / "record.json").write_text("torn")
    wait_until(lambda: not ground.joe(T440, "observe")["lent"], SECONDS, "it lends no vote")
    refused = ground.joe(T440, "record", "write", holder="pc-b", expect=None)
    assert "pc-b must ask first" in refused["message"]
    assert ground.joe(T440, "observe")["record"] is None
    ground.three.nodes["pc-b"].power_on()
    wait_until(lambda: bool(ground.joe(T440, "observe")["record"]), SECONDS, "both have asked")
    assert ground.record() == {"epoch": epoch, "holder": "pc-a"}
