"""The kernel's list of listeners, by both ways of asking for it."""

from __future__ import annotations

import os
import socket

import pytest

from deployments.node import sockets
from deployments.node.processes import listeners, port_is_open
from deployments.node.sockets import listening_inodes

LISTENERS = {
    "an address of version 4": (socket.AF_INET, "127.0.0.1"),
    "all addresses": (socket.AF_INET, "0.0.0.0"),  # noqa: S104
    "an address of version 6": (socket.AF_INET6, "::1"),
}


@pytest.mark.parametrize(("family", "address"), LISTENERS.values(), ids=LISTENERS)
def test_a_listener_is_seen_with_its_process_until_it_is_closed(
    family: socket.AddressFamily, address: str
) -> None:
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {address} here: {error}")
    with server:
        port = server.getsockname()[1]
        assert listening_inodes(port) == set(sockets._read_tables(port)) != set()
        assert listeners(port) == [os.getpid()]
    assert not port_is_open(port)


def test_a_connection_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert not port_is_open(client.getsockname()[1])
