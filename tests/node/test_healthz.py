"""The guard's own look at /healthz never waits, and is judged once a restart would help."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

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


def test_a_time_in_which_it_is_not_to_serve_does_not_count() -> None:
    wellness = Wellness(20.0)
    wellness.wants_restart(0.0, False)
    wellness.pause()
    assert wellness.wants_restart(30.0, False) is False
    assert wellness.unwell_seconds(35.0) == 5.0
