"""The connection to a node: pinned keys, deadlines that hold, bounded and honest answers."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.errors import AuthFailed, CommandFailed, HostKeyMismatch, Refused, Unreachable
from tasks.core.state import Health
from tasks.remote import ssh
from tasks.remote.answer import parse_answer
from tasks.remote.http import Page, get, parse_healthz, probe_healthz
from tasks.remote.nodes import address_of
from tests.site_machines import Ground, ground


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground() as made:
        made.serve()
        yield made


@pytest.fixture
def pc_a(place: Ground) -> Iterator[ssh.Connection]:
    connection = ssh.Connection(address_of(place.site, "pc-a"))
    yield connection
    connection.close()


def test_one_connection_serves_many_calls(place: Ground, pc_a: ssh.Connection) -> None:
    pc_a.call("observe", seconds=5)
    first = pc_a._transport
    assert pc_a.call("observe", seconds=5)["name"] == "pc-a"
    assert pc_a._transport is first


def test_the_end_of_a_request_does_not_wait_for_an_answer_to_its_beginning(
    pc_a: ssh.Connection,
) -> None:
    pc_a.call("observe", seconds=5)
    assert pc_a._transport
    assert isinstance(pc_a._transport.sock, socket.socket)
    assert pc_a._transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_lost_connection_is_opened_again(pc_a: ssh.Connection) -> None:
    pc_a.call("observe", seconds=5)
    assert pc_a._transport
    pc_a._transport.close()
    assert pc_a.call("observe", seconds=5)["name"] == "pc-a"


def test_an_unknown_host_key_is_refused_and_the_message_says_how_to_accept_it(
    place: Ground, tmp_path: Path
) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    address = replace(address_of(place.site, "pc-a"), known_hosts=empty)
    with pytest.raises(HostKeyMismatch, match=r"host key unknown.*ssh-keyscan -t ed25519"):
        ssh.Connection(address).call("observe", seconds=5)


def test_a_changed_host_key_is_refused_with_both_fingerprints(
    place: Ground, tmp_path: Path
) -> None:
    address = address_of(place.site, "pc-a")
    other = address_of(place.site, "pc-b").host_key_name
    text = address.known_hosts.read_text()
    keys = dict(line.split(" ", 1) for line in text.splitlines())
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{address.host_key_name} {keys[other]}\n")
    with pytest.raises(HostKeyMismatch, match=r"host key changed: now SHA256:.*pinned SHA256:"):
        ssh.Connection(replace(address, known_hosts=swapped)).call("observe", seconds=5)


def test_a_key_that_the_node_does_not_know_is_no_access(place: Ground) -> None:
    address = replace(address_of(place.site, "pc-a"), key=place.three.key("pc-a"))
    with pytest.raises(AuthFailed):
        ssh.Connection(address).call("observe", seconds=5)


def test_a_closed_port_is_refused_at_once(place: Ground) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = replace(address_of(place.site, "pc-a"), port=port)
    address.known_hosts.write_text(
        address.known_hosts.read_text() + f"[127.0.0.1]:{port} {own_key(place)}\n"
    )
    with pytest.raises(Unreachable) as caught:
        ssh.Connection(address).call("observe", seconds=5)
    assert caught.value.refused


def own_key(place: Ground) -> str:
    address = address_of(place.site, "pc-a")
    lines = address.known_hosts.read_text().splitlines()
    return next(line.split(" ", 1)[1] for line in lines if address.host_key_name in line)


@pytest.fixture(params=["never says a word", "drips a byte now and then"])
def tarpit(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that accepts and then wastes the client's time; paramiko's timeouts restart."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    held: list[socket.socket] = []

    def hold() -> None:
        while not stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                return
            held.append(client)
            while "drips" in request.param and not stop.wait(0.2):
                try:
                    client.sendall(b"x")
                except OSError:
                    break

    thread = threading.Thread(target=hold)
    thread.start()
    yield server.getsockname()[1]
    stop.set()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for client in held:
        client.close()


def test_a_server_that_wastes_time_costs_no_more_than_the_deadline(
    place: Ground, tarpit: int
) -> None:
    address = replace(address_of(place.site, "pc-a"), port=tarpit)
    address.known_hosts.write_text(
        address.known_hosts.read_text() + f"[127.0.0.1]:{tarpit} {own_key(place)}\n"
    )
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        ssh.Connection(address).call("observe", seconds=1.5)
    assert time.monotonic() - begun < 2.5


def test_a_frozen_node_costs_no_more_than_the_deadline(place: Ground, pc_a: ssh.Connection) -> None:
    """Frozen between two calls: the connection is open, nobody answers on it."""
    pc_a.call("observe", seconds=5)
    pids = place.three.nodes["pc-a"].pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        with pytest.raises(Unreachable):
            pc_a.call("observe", seconds=1.0)
        assert time.monotonic() - begun < 2.0
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert pc_a.call("observe", seconds=5)["name"] == "pc-a"


def test_a_refusal_of_the_node_is_a_refusal_here(pc_a: ssh.Connection) -> None:
    with pytest.raises(Refused, match="is not newer"):
        pc_a.call("record write", {"epoch": 1, "holder": "pc-b"}, seconds=5)


@pytest.mark.parametrize(
    ("status", "output"),
    [
        pytest.param(0, b"", id="nothing"),
        pytest.param(0, b"welcome!\n", id="a login banner"),
        pytest.param(0, b"[1, 2]", id="JSON that is no object"),
        pytest.param(1, b"\x1b[2J\x1b]0;owned\x07", id="terminal control codes"),
        pytest.param(0, b"[" * 200_000, id="JSON too deep to read"),
        pytest.param(127, b"python3: not found", id="no program"),
    ],
)
def test_what_is_no_answer_is_a_failure_that_is_safe_to_print(status: int, output: bytes) -> None:
    with pytest.raises(CommandFailed) as caught:
        parse_answer("pc-a", "observe", status, output)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("status", "body", "health"),
    [
        pytest.param(200, b'{"ok":true,"status":"live"}', Health.OK, id="the gateway's own body"),
        pytest.param(200, b"<html>nginx</html>", Health.WRONG_BODY, id="a foreign server's 200"),
        pytest.param(200, b'{"ok":"yes","status":"live"}', Health.WRONG_BODY, id="ok is no bool"),
        pytest.param(503, b'{"ok":true,"status":"live"}', Health.WRONG_BODY, id="503"),
        pytest.param(200, b"[]", Health.WRONG_BODY, id="a list"),
    ],
)
def test_healthz_is_read_by_its_body(status: int, body: bytes, health: Health) -> None:
    assert parse_healthz(Page(status, body)) is health


def test_healthz_through_the_channel_tells_closed_hung_and_foreign_apart(
    place: Ground, pc_a: ssh.Connection
) -> None:
    port = place.site.nodes["pc-a"].gateway_port
    standby = place.site.nodes["pc-b"].gateway_port
    pc_b = ssh.Connection(address_of(place.site, "pc-b"))
    assert probe_healthz(pc_b, standby, 2) is Health.REFUSED
    pc_b.close()
    assert get(pc_a, port, "/healthz", 2).status == 200
    place.fault("pc-a", "foreign-body")
    assert probe_healthz(pc_a, port, 2) is Health.WRONG_BODY
    place.fault("pc-a", "foreign-body", on=False)
    place.fault("pc-a", "hang")
    begun = time.monotonic()
    place.await_health("pc-a", Health.TIMEOUT)
    assert time.monotonic() - begun < 10
    place.fault("pc-a", "hang", on=False)
    place.await_health("pc-a", Health.OK)
