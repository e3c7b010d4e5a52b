"""Stops on a real node: a stop is proven or it is no stop. No guard runs here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deployments.demo.processes import wait_until
from tasks.core.state import Health
from tasks.remote.http import get
from tasks.remote.nodes import node
from tests.site_machines import Ground, ground


@pytest.fixture(scope="module")
def machines() -> Iterator[Ground]:
    with ground(guards=False) as made:
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


def is_stopped(place: Ground) -> bool:
    return gateway(place) == {"pids": [], "port_open": False, "serving": False}


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


def start(place: Ground) -> None:
    """A gateway started by hand, which no mark of a guard knows: it is known by its port."""
    machine = place.three.nodes["pc-a"]
    machine.spawn(
        (str(machine.home / "bin" / "openclaw"), "gateway", "run"), {}, machine.log / "hand.log"
    )
    place.await_health("pc-a", Health.OK)


def test_a_stop_ends_the_process_and_closes_the_port(place: Ground) -> None:
    start(place)
    stopped = place.call("pc-a", "gateway stop")
    assert (stopped["stopped"], stopped["how"]) == (True, "terminated")
    assert is_stopped(place)


def test_a_stop_of_what_does_not_run_is_a_proven_stop(place: Ground) -> None:
    assert place.call("pc-a", "gateway stop")["how"] == "was not running"


def test_a_refused_stop_is_not_a_stop(place: Ground) -> None:
    """The command line refuses without a terminal; asking the kernel shows that it still runs."""
    start(place)
    refused = openclaw(place, "gateway", "stop")
    assert refused.returncode == 1
    assert gateway(place)["pids"], "it goes on running, and is not called stopped"
    assert place.health("pc-a") is Health.OK


def test_not_running_is_not_running(place: Ground) -> None:
    """The word "running" stands in the status of a stopped gateway, too; nobody looks for it."""
    status = openclaw(place, "gateway", "status")
    assert "running" in (status.stdout + status.stderr).lower()
    assert is_stopped(place)
    assert place.health("pc-a") is Health.REFUSED


def test_a_hung_gateway_is_not_well(place: Ground) -> None:
    start(place)
    place.fault("pc-a", "hang")
    place.await_health("pc-a", Health.TIMEOUT)
    assert gateway(place)["port_open"] is True, "the open port alone says nothing"


@pytest.mark.parametrize("fault", ["ignore-term", "hang", "run"])
def test_a_gateway_that_does_not_end_by_sigterm_is_killed_and_proven(
    place: Ground, fault: str
) -> None:
    start(place)
    at, port = node(place.site, "pc-a"), place.site.nodes["pc-a"].gateway_port
    # Live is not started yet: until then nothing of it runs that a stop would wait for.
    wait_until(lambda: get(at, port, "/startupz", 2).status == 200, 20, "it has started")
    place.fault("pc-a", fault)
    if fault == "hang":
        place.await_health("pc-a", Health.TIMEOUT)
    stopped = place.call("pc-a", "gateway stop", seconds=1)
    assert stopped["how"] == "killed"
    assert 1 <= stopped["seconds"] < 6
    assert is_stopped(place)


def test_a_stopped_process_is_killed_too(place: Ground) -> None:
    start(place)
    for pid in gateway(place)["pids"]:  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
    assert place.call("pc-a", "gateway stop", seconds=0.5)["how"] == "killed"


def test_while_something_else_holds_the_port_nothing_is_called_stopped(place: Ground) -> None:
    """A listener that is no gateway still counts until it is gone."""
    machine = place.three.nodes["pc-a"]
    code = f"import socket,time;s=socket.create_server(('127.0.0.1',{machine.gateway_port}));"
    pid = machine.spawn(
        (sys.executable, "-c", code + "time.sleep(300)"), {}, machine.log / "hand.log"
    )
    wait_until(lambda: bool(gateway(place)["port_open"]), 10, "the port is open")
    assert pid in gateway(place)["pids"]  # type: ignore[operator]
