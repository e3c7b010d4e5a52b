"""The guard's own look at /healthz never waits, and is judged once a restart would help."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.clock import boottime
from deployments.node.healthz import Probe, Wellness, is_live

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n"
LIVE = HEAD + b'{"ok":true,"status":"live"}'
RESPONSES = {
    "the gateway's own": (LIVE, True),
    "cut in the middle": (LIVE[:-3], False),
    "a foreign server's": (HEAD + b"<html>It works!</html>", False),
    "not ok": (LIVE.replace(b"true", b"false"), False),
    "another status": (LIVE.replace(b"200", b"503"), False),
    "a list": (HEAD + b"[]", False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("response", "live"), RESPONSES.values(), ids=RESPONSES)
def test_a_response_is_judged_by_its_body(response: bytes, live: bool) -> None:
    assert is_live(response) is live


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def judged(probe: Probe) -> bool:
    def is_known() -> bool:
        probe.tick(boottime())
        return probe.well is not None

    wait_until(is_known, 10, "an answer")
    return bool(probe.well)


@pytest.mark.parametrize(("response", "live"), [(LIVE, True), (HEAD, False)])
def test_a_server_is_asked(server: socket.socket, response: bytes, live: bool) -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(response)

    thread = threading.Thread(target=answer)
    thread.start()
    probe = Probe(server.getsockname()[1], 5.0)
    assert judged(probe) is live
    probe.forget()
    thread.join()


def test_a_server_that_never_answers_is_left_at_the_deadline(server: socket.socket) -> None:
    probe = Probe(server.getsockname()[1], 0.3)
    begun = boottime()
    assert judged(probe) is False
    assert 0.3 <= boottime() - begun < 3 and "no answer within 0.3 s" in probe.detail
    probe.forget()


def test_a_closed_port_is_not_well(server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    probe = Probe(port, 5.0)
    assert judged(probe) is False
    probe.forget()


def test_one_restart_after_the_grace_and_then_only_the_report() -> None:
    wellness = Wellness(20.0)
    told = [wellness.wants_restart(now, False) for now in (0.0, 19.9, 20.0, 21.0, 39.9, 60.0)]
    assert told == [False, False, True, False, False, False]
    assert (wellness.is_unwell(39.9), wellness.is_unwell(40.0)) == (False, True)


def test_a_gateway_that_was_live_again_has_its_own_restart() -> None:
    wellness = Wellness(20.0)
    assert wellness.wants_restart(0.0, None) is False
    assert wellness.wants_restart(20.0, False) is True
    assert wellness.wants_restart(25.0, True) is False
    assert [wellness.wants_restart(now, False) for now in (30.0, 49.9, 50.0)] == [
        False,
        False,
        True,
    ]


STARTS = {
    "a start that goes on is left alone": ([(0, "a"), (59, "a")], 60),
    "after a crash, too": ([(-5, "a", True), (0, "a"), (5, "b"), (59, "b")], 60),
    "a hang is none": ([(-5, "a", True), (0, "a"), (19, "a")], 20),
    "not after a start that came to nothing": ([(0, "a"), (6, "b"), (19, "b")], 20),
    "not when nothing starts": ([(0, ""), (19, "")], 20),
    "a start that ended is none": ([(0, "a"), (6, ""), (19, "")], 20),
    "one that was live has its whole time again": (
        [(0, "a"), (6, "b"), (9, "b", True), (10, "b"), (16, "c"), (69, "c")],
        70,
    ),
}


@pytest.mark.parametrize(("turns", "restarted"), STARTS.values(), ids=STARTS)
def test_how_long_a_gateway_is_left_alone(turns: list[tuple[Any, ...]], restarted: float) -> None:
    wellness = Wellness(20.0)
    for now, start, *well in turns:
        assert not wellness.wants_restart(now, bool(well), start)
    assert not wellness.wants_restart(restarted - 0.1, False, turns[-1][1])
    assert wellness.wants_restart(restarted, False, turns[-1][1])


def test_a_hung_gateway_has_the_time_of_a_start_after_its_restart() -> None:
    wellness = Wellness(20.0)
    wellness.wants_restart(-1.0, True, "a")
    assert [wellness.wants_restart(now, False, "a") for now in (0.0, 20.0)] == [False, True]
    wellness.wants_restart(25.0, False, "b")
    assert [wellness.is_unwell(now) for now in (79.9, 80.0)] == [False, True]


def test_a_start_that_another_record_ended_did_not_come_to_nothing() -> None:
    wellness = Wellness(20.0)
    wellness.wants_restart(0.0, False, "a")
    wellness.reset()
    assert [wellness.wants_restart(now, False, "b") for now in (5.0, 64.9, 65.0)] == [
        False,
        False,
        True,
    ]


def test_a_time_in_which_it_is_not_to_serve_does_not_count() -> None:
    wellness = Wellness(20.0)
    wellness.wants_restart(0.0, False)
    wellness.pause()
    assert wellness.wants_restart(30.0, False) is False
    assert wellness.unwell_seconds(35.0) == 5.0
