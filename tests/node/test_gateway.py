"""Start and stop on a real node: a stop is proven or it is no stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from deployments.node.config import NodeConfig
from deployments.node.gateway import gateway_pids, gateway_start, gateway_stop
from deployments.node.processes import read_stat
from deployments.node.record import Record, adopt
from tasks.core.errors import CommandFailed, Refused
from tasks.core.state import Health
from tests.site_machines import Ground, ground


@pytest.fixture(scope="module")
def machines() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture
def place(machines: Ground) -> Iterator[Ground]:
    """Nothing runs at the start, and no fault is set."""
    yield machines
    for fault in ("ignore-term", "hang", "run", "foreign-body"):
        machines.fault("pc-a", fault, on=False)
    machines.call("pc-a", "gateway kill")


def gateway(place: Ground, name: str = "pc-a") -> dict[str, object]:
    found: dict[str, object] = place.call(name, "observe")["gateway"]
    return found


def openclaw(place: Ground, *words: str) -> subprocess.CompletedProcess[str]:
    """The stand-in's own command line on pc-a, as an ssh session without a terminal runs it."""
    machine = place.three.nodes["pc-a"]
    return subprocess.run(
        (str(machine.home / "bin" / "openclaw"), *words),
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_gateway_is_started_once(place: Ground) -> None:
    place.start("pc-a")
    again = place.call("pc-a", "gateway start", epoch=1, other="stopped")
    assert again["started"] is False
    assert gateway(place)["port_open"] is True


def test_a_stop_ends_the_process_and_closes_the_port(place: Ground) -> None:
    place.start("pc-a")
    stopped = place.call("pc-a", "gateway stop")
    assert (stopped["stopped"], stopped["how"]) == (True, "terminated")
    assert gateway(place) == {"pids": [], "port_open": False}


def test_a_stop_of_what_does_not_run_is_a_proven_stop(place: Ground) -> None:
    assert place.call("pc-a", "gateway stop")["how"] == "was not running"


def test_a_refused_stop_is_not_a_stop(place: Ground) -> None:
    """The command line refuses without a terminal; asking the kernel shows that it still runs."""
    place.start("pc-a")
    refused = openclaw(place, "gateway", "stop")
    assert refused.returncode == 1
    assert gateway(place)["pids"], "it goes on running, and is not called stopped"
    assert place.health("pc-a") is Health.OK


def test_not_running_is_not_running(place: Ground) -> None:
    """The word "running" stands in the status of a stopped gateway, too; nobody looks for it."""
    status = openclaw(place, "gateway", "status")
    assert "running" in (status.stdout + status.stderr).lower()
    assert gateway(place) == {"pids": [], "port_open": False}
    assert place.health("pc-a") is Health.REFUSED


def test_a_hung_gateway_is_not_well(place: Ground) -> None:
    place.start("pc-a")
    place.fault("pc-a", "hang")
    place.await_health("pc-a", Health.TIMEOUT)
    assert gateway(place)["port_open"] is True, "the open port alone says nothing"


@pytest.mark.parametrize("fault", ["ignore-term", "hang", "run"])
def test_a_gateway_that_does_not_end_by_sigterm_is_killed_and_proven(
    place: Ground, fault: str
) -> None:
    place.start("pc-a")
    place.fault("pc-a", fault)
    if fault == "hang":
        place.await_health("pc-a", Health.TIMEOUT)
    stopped = place.call("pc-a", "gateway stop", seconds=1)
    assert stopped["how"] == "killed"
    assert 1 <= stopped["seconds"] < 6
    assert gateway(place) == {"pids": [], "port_open": False}


def test_a_stopped_process_is_killed_too(place: Ground) -> None:
    place.start("pc-a")
    for pid in gateway(place)["pids"]:  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
    assert place.call("pc-a", "gateway stop", seconds=0.5)["how"] == "killed"


def test_a_hand_started_gateway_that_holds_the_port_is_found_and_killed(place: Ground) -> None:
    """An orphan that no pid file knows: it is known by its port."""
    machine = place.three.nodes["pc-a"]
    machine.spawn(
        (str(machine.home / "bin" / "openclaw"), "gateway", "run"), {}, machine.log / "hand.log"
    )
    place.await_health("pc-a", Health.OK)
    assert gateway(place)["pids"]
    place.call("pc-a", "gateway kill")
    assert gateway(place) == {"pids": [], "port_open": False}


def test_while_something_else_holds_the_port_nothing_is_called_stopped(place: Ground) -> None:
    """A listener that is no gateway still counts until it is gone."""
    machine = place.three.nodes["pc-a"]
    code = f"import socket,time;s=socket.create_server(('127.0.0.1',{machine.gateway_port}));"
    pid = machine.spawn(
        (sys.executable, "-c", code + "time.sleep(300)"), {}, machine.log / "hand.log"
    )
    wait_until(lambda: bool(gateway(place)["port_open"]), 10, "the port is open")
    assert pid in gateway(place)["pids"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        pytest.param({"epoch": 1}, "other is None", id="without a word about the other node"),
        pytest.param({"epoch": 1, "other": "well"}, "other is 'well'", id="while the other serves"),
        pytest.param({"other": "stopped"}, "epoch None", id="without an epoch"),
    ],
)
def test_a_start_needs_t440s_word(place: Ground, params: dict[str, object], said: str) -> None:
    with pytest.raises(CommandFailed, match=said):
        place.call("pc-a", "gateway start", **params)
    assert gateway(place)["pids"] == []


def test_a_node_that_the_record_does_not_name_starts_nothing(place: Ground) -> None:
    with pytest.raises(Refused, match="the record is epoch 1 for pc-a"):
        place.call("pc-b", "gateway start", epoch=1, other="stopped")
    assert gateway(place, "pc-b")["pids"] == []


def test_a_word_of_an_older_epoch_permits_nothing(place: Ground) -> None:
    with pytest.raises(Refused, match="T440's word is for epoch 7"):
        place.call("pc-a", "gateway start", epoch=7, other="stopped")


def test_after_a_boot_nothing_is_permitted_until_t440_speaks(place: Ground) -> None:
    place.start("pc-a")
    assert place.call("pc-a", "permit")["permit"] is True
    machine = place.three.nodes["pc-a"]
    machine.power_cut()
    machine.power_on()
    with pytest.raises(Refused, match="has not said in this boot"):
        place.call("pc-a", "permit")
    assert gateway(place) == {"pids": [], "port_open": False}


def test_what_a_dead_gateway_left_behind_in_its_session_is_part_of_it(tmp_path: Path) -> None:
    """The leader forks and ends at once; the child holds no port, and is found all the same."""
    script = tmp_path / "openclaw"
    script.write_text("#!/bin/sh\nsleep 300 &\n")
    script.chmod(0o755)
    config = NodeConfig(
        "pc-a", tmp_path, tmp_path / "state", tmp_path / "run", openclaw=(str(script),)
    )
    adopt(config, Record(1, "pc-a"))
    leader = gateway_start(config, {"epoch": 1, "other": "stopped"})["pid"]
    wait_until(lambda: read_stat(leader) is None, 10, "the leader has ended")
    left = gateway_pids(config)
    assert left
    assert leader not in left
    assert gateway_stop(config, {"seconds": 1})["stopped"] is True
    assert gateway_pids(config) == []
