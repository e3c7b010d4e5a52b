"""Stops on a real node: a stop is proven or it is no stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.config import NodeConfig
from deployments.node.gateway import gateway_pids, gateway_stop, is_gone, is_serving
from deployments.node.mark import Mark, load_mark, make_mark, mark_file, remove_mark, write_mark
from deployments.node.processes import read_stat
from tasks.core.errors import CommandFailed, Refused
from tasks.core.state import Health
from tests.site_machines import Ground, ground

STOPPED = {"pids": [], "port_open": False, "serving": False}


@pytest.fixture(scope="module")
def machines() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture
def place(machines: Ground) -> Iterator[Ground]:
    """pc-a is drained, so that what the test stops is not started again; nothing runs."""
    machines.drain("pc-a")
    yield machines
    for fault in ("ignore-term", "hang", "run", "foreign-body"):
        machines.fault("pc-a", fault, on=False)


@pytest.fixture
def serving(machines: Ground) -> Iterator[Ground]:
    """pc-a serves."""
    machines.start("pc-a")
    yield machines
    for fault in ("ignore-term", "hang", "run", "foreign-body"):
        machines.fault("pc-a", fault, on=False)


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


def test_a_stop_ends_the_process_and_closes_the_port(serving: Ground) -> None:
    stopped = serving.call("pc-a", "gateway stop")
    assert (stopped["stopped"], stopped["how"]) == (True, "terminated")


def test_a_stop_of_what_does_not_run_is_a_proven_stop(place: Ground) -> None:
    assert place.call("pc-a", "gateway stop")["how"] == "was not running"
    assert gateway(place) == STOPPED


def test_a_refused_stop_is_not_a_stop(serving: Ground) -> None:
    """The command line refuses without a terminal; asking the kernel shows that it still runs."""
    refused = openclaw(serving, "gateway", "stop")
    assert refused.returncode == 1
    assert gateway(serving)["pids"], "it goes on running, and is not called stopped"
    assert serving.health("pc-a") is Health.OK


def test_not_running_is_not_running(place: Ground) -> None:
    """The word "running" stands in the status of a stopped gateway, too; nobody looks for it."""
    status = openclaw(place, "gateway", "status")
    assert "running" in (status.stdout + status.stderr).lower()
    assert gateway(place) == STOPPED
    assert place.health("pc-a") is Health.REFUSED


def test_a_hung_gateway_is_not_well(serving: Ground) -> None:
    serving.fault("pc-a", "hang")
    serving.await_health("pc-a", Health.TIMEOUT)
    assert gateway(serving)["port_open"] is True, "the open port alone says nothing"


@pytest.mark.parametrize("fault", ["ignore-term", "hang", "run"])
def test_a_gateway_that_does_not_end_by_sigterm_is_killed_and_proven(
    serving: Ground, fault: str
) -> None:
    serving.fault("pc-a", fault)
    if fault == "hang":
        serving.await_health("pc-a", Health.TIMEOUT)
    stopped = serving.call("pc-a", "gateway stop", seconds=1)
    assert stopped["how"] == "killed"
    assert 1 <= stopped["seconds"] < 6


def test_a_stopped_process_is_killed_too(serving: Ground) -> None:
    for pid in gateway(serving)["pids"]:  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
    assert serving.call("pc-a", "gateway stop", seconds=0.5)["how"] == "killed"


def test_while_something_else_holds_the_port_nothing_is_called_stopped(tmp_path: Path) -> None:
    """A listener that is no gateway counts until it is gone; it is found by its port."""
    code = (
        "import socket,time; s=socket.create_server(('127.0.0.1',0));"
        "print(s.getsockname()[1], flush=True); time.sleep(300)"
    )
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE) as held:
        assert held.stdout
        config = node(tmp_path, gateway_port=int(held.stdout.readline()))
        assert is_serving(config) and not is_gone(config)
        assert gateway_pids(config) == [held.pid]
        assert gateway_stop(config, {"seconds": 5})["how"] == "terminated"


def node(folder: Path, **fields: Any) -> NodeConfig:
    whole = {"supervisor": "process", "nodes": ("pc-a", "pc-b"), "gateway_port": 1, **fields}
    return NodeConfig("pc-a", folder, folder / "state", folder / "run", **whole)


def test_what_a_dead_gateway_left_behind_in_its_session_is_part_of_it(tmp_path: Path) -> None:
    """The leader forks and ends at once; the child holds no port, and is found all the same."""
    config = node(tmp_path)
    with subprocess.Popen(("sh", "-c", "sleep 300 &"), start_new_session=True) as leader:
        stat = read_stat(leader.pid)
        write_mark(config, Mark("start", leader.pid, stat.started if stat else -1))
    assert read_stat(leader.pid) is None
    left = gateway_pids(config)
    assert left and leader.pid not in left
    assert gateway_stop(config, {"seconds": 1})["stopped"] is True
    assert gateway_pids(config) == []


def test_from_the_permit_to_the_proven_stop_a_node_counts_as_serving(tmp_path: Path) -> None:
    config = node(tmp_path)
    assert not is_serving(config)
    first = make_mark(config)
    assert is_serving(config), "though nothing runs yet"
    remove_mark(config, Mark("of an earlier start"))
    assert is_serving(config), "the proof of an earlier stop is none of this one"
    remove_mark(config, first)
    assert not is_serving(config)


@pytest.mark.parametrize("text", ["", "[", '{"id": 1}'])
def test_a_mark_that_cannot_be_read_is_a_mark(tmp_path: Path, text: str) -> None:
    config = node(tmp_path)
    config.run.mkdir()
    mark_file(config).write_text(text)
    assert is_serving(config)


def test_a_mark_of_another_boot_is_none(tmp_path: Path) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("one\n")
    config = node(tmp_path, boot_id_file=boot)
    make_mark(config)
    boot.write_text("two\n")
    assert load_mark(config) is None


def test_t440_cannot_start_a_gateway_any_more(place: Ground) -> None:
    with pytest.raises(CommandFailed, match="unknown verb"):
        place.call("pc-a", "gateway start")


def test_a_node_that_the_record_does_not_name_has_no_permit(place: Ground) -> None:
    with pytest.raises(Refused, match="the record names pc-a"):
        place.call("pc-b", "permit")


def test_a_drained_node_has_no_permit(place: Ground) -> None:
    with pytest.raises(Refused, match="the node is drained"):
        place.call("pc-a", "permit")


def test_while_memory_is_written_nothing_starts(serving: Ground) -> None:
    """Whoever writes into the live workspaces holds this lock; the unit's condition asks for it."""
    from deployments.node.durable import locked

    machine = serving.three.nodes["pc-a"]
    with locked(machine.run / "gateway.lock"):
        serving.call("pc-a", "gateway kill")
        said = subprocess.run(
            ("/usr/bin/python3", "-IS", str(serving.three.joe("pc-a")), "permit", "start"),
            env=machine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert said.returncode == 1 and "gateway.lock" in said.stdout
        assert gateway(serving)["pids"] == []
    wait_until(lambda: serving.health("pc-a") is Health.OK, 20, "it starts afterwards")
