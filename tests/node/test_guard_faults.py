"""A guard, a fuse or a gateway that dies, hangs or does not do what it is told."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from deployments.demo.processes import wait_until
from deployments.demo.three import T440

from .terms_ground import SECONDS, Terms, boottime, stopped

GRACE_SECONDS = 3.0  # restart_grace_seconds of these machines


def test_a_killed_guard_takes_its_gateway_with_it_and_the_next_one_starts_anew(
    ground: Terms,
) -> None:
    before, guard = ground.gateway_pids("pc-a"), ground.guard_pid("pc-a")
    os.kill(guard, signal.SIGKILL)
    took = wait_until(lambda: not set(before) & set(ground.gateway_pids("pc-a")), 5, "dead")
    assert took < 1
    wait_until(lambda: ground.guard_pid("pc-a") != guard, SECONDS, "another guard")
    ground.await_serving("pc-a", int(ground.record()["epoch"]))


def test_a_guard_that_stands_still_loses_its_gateway_to_the_fuse_inside_the_term(
    ground: Terms,
) -> None:
    with stopped(ground.guard_pid("pc-a")):
        file = json.loads((ground.three.nodes["pc-a"].run / "term.json").read_text())
        epoch = ground.move("pc-b")
        ground.await_none("pc-a")
        assert boottime() < file["serve_until"]
        ground.await_serving("pc-b", epoch)
    ground.await_epoch("pc-a", epoch)


def test_a_killed_fuse_is_back_and_the_gateway_serves_on(ground: Terms) -> None:
    machine, pids = ground.three.nodes["pc-a"], ground.gateway_pids("pc-a")
    fuse = find(ground, "fuse")
    os.kill(fuse, signal.SIGKILL)
    wait_until(lambda: find(ground, "fuse") not in (0, fuse), SECONDS, "another fuse")
    assert machine.is_on and ground.gateway_pids("pc-a") == pids


def find(ground: Terms, word: str) -> int:
    """The pid of `joe.pyz WORD` on pc-a, 0 when it does not run."""
    joe = str(ground.three.joe("pc-a"))
    for pid in ground.three.nodes["pc-a"].pids():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                words = stream.read().decode().split("\0")
        except OSError:
            continue
        if words[2:4] == [joe, word]:
            return pid
    return 0


def test_a_second_guard_refuses(ground: Terms) -> None:
    again = ground.run("pc-a", "guard")
    assert again.returncode == 1
    assert "another guard runs on pc-a" in again.stderr
    assert ground.status("pc-a")["state"] == "serving"


def test_t440_has_nothing_to_guard(ground: Terms) -> None:
    refused = ground.run(T440, "guard")
    assert (refused.returncode, "nothing to guard" in refused.stderr) == (2, True)


def test_whoever_listens_on_the_standbys_port_is_killed(ground: Terms) -> None:
    machine = ground.three.nodes["pc-b"]
    code = (
        f"import socket,time; s=socket.create_server(('127.0.0.1',{machine.gateway_port}));"
        "time.sleep(300)"
    )
    pid = machine.spawn(("/usr/bin/python3", "-c", code), {}, machine.log / "hand.log")
    wait_until(lambda: pid not in machine.pids(), SECONDS, "it is dead")
    assert ground.status("pc-a")["state"] == "serving"


@pytest.mark.parametrize("fault", ["ignore-term", "run"])
def test_a_gateway_that_does_not_end_by_sigterm_is_killed_within_the_budget(
    ground: Terms, fault: str
) -> None:
    ground.fault("pc-a", fault)
    begun = boottime()
    epoch = ground.move("pc-b")
    ground.await_none("pc-a")
    assert boottime() - begun < ground.times.kill_budget + 3
    ground.await_serving("pc-b", epoch)


def test_a_hung_gateway_is_restarted_in_place_once_and_then_reported(ground: Terms) -> None:
    before = ground.gateway_pids("pc-a")
    ground.fault("pc-a", "hang")
    wait_until(
        lambda: bool(ground.gateway_pids("pc-a")) and ground.gateway_pids("pc-a") != before,
        SECONDS,
        "another gateway",
    )
    ground.await_state("pc-a", "unwell")
    second = ground.gateway_pids("pc-a")
    assert second and second != before
    time.sleep(2 * GRACE_SECONDS)  # in which a second restart would have come
    assert ground.gateway_pids("pc-a") == second, "one restart, no more"
    ground.fault("pc-a", "hang", on=False)
    ground.await_serving("pc-a", int(ground.record()["epoch"]))


def test_a_start_that_takes_longer_than_the_grace_is_let_go_on(ground: Terms) -> None:
    """It would be ended again and again on a small machine, and never serve."""
    ground.fault("pc-a", "slow-start", f"{2 * GRACE_SECONDS}")
    before = ground.gateway_pids("pc-a")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: bool(set(ground.gateway_pids("pc-a")) - set(before)), SECONDS, "another")
    started = ground.gateway_pids("pc-a")
    ground.await_state("pc-a", "starting")
    ground.await_serving("pc-a", int(ground.record()["epoch"]))
    assert ground.gateway_pids("pc-a") == started


def test_a_killed_gateway_is_started_again(ground: Terms) -> None:
    before = ground.gateway_pids("pc-a")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(before) & set(ground.gateway_pids("pc-a")), SECONDS, "dead")
    ground.await_serving("pc-a", int(ground.record()["epoch"]))
    assert not set(before) & set(ground.gateway_pids("pc-a"))


def test_a_gateway_that_crashes_at_each_start_is_reported_unwell(ground: Terms) -> None:
    ground.fault("pc-a", "crash-at-start")
    for pid in ground.gateway_pids("pc-a"):
        os.kill(pid, signal.SIGKILL)
    ground.await_state("pc-a", "unwell")


TORN = {
    "empty": "",
    "half": '{"epoch": 1, "hol',
    "a holder that is no node": '{"epoch": 9, "holder": "pc-z"}',
}


@pytest.mark.parametrize("text", TORN.values(), ids=TORN)
def test_a_torn_record_of_the_holder_is_taken_over_again_from_the_others(
    ground: Terms, text: str
) -> None:
    record = ground.record()
    (ground.three.nodes["pc-a"].state / "record.json").write_text(text)
    wait_until(lambda: ground.joe("pc-a", "observe")["record"] == record, SECONDS, "it is whole")
    ground.await_serving("pc-a", int(record["epoch"]))
