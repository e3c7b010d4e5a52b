"""GET through an ssh channel: the gateway listens on the node's own loopback only."""

from __future__ import annotations

import http.client
import json
from typing import NamedTuple, cast

import paramiko

from tasks.core.errors import RemoteError, Unreachable
from tasks.core.state import Health
from tasks.remote.ssh import Connection

MAX_BODY_BYTES = 64 << 10


class Page(NamedTuple):
    status: int
    body: bytes


class _ChannelConnection(http.client.HTTPConnection):
    """http.client over a channel that is open already."""

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__("127.0.0.1")
        self.sock = channel

    def connect(self) -> None:
        raise ConnectionError("the channel is closed")


def get(connection: Connection, port: int, path: str, seconds: float) -> Page:
    """One page of at most 64 KiB from the node's loopback.

    Raises Unreachable: `refused` when nothing listens there.
    """
    name = connection.address.name
    with connection.tunnel(port, seconds) as channel:
        try:
            client = _ChannelConnection(channel)
            client.request("GET", path, headers={"Connection": "close"})
            response = client.getresponse()
            return Page(response.status, response.read(MAX_BODY_BYTES))
        except (http.client.HTTPException, OSError, EOFError) as error:
            raise Unreachable(name, f"{path}: {error or 'no answer'}") from None


def probe_healthz(connection: Connection, port: int, seconds: float) -> Health:
    """What the gateway says of itself. A foreign server's 200 is not the gateway's."""
    try:
        return parse_healthz(get(connection, port, "/healthz", seconds))
    except Unreachable as error:
        return Health.REFUSED if error.refused else Health.TIMEOUT
    except RemoteError:
        return Health.UNKNOWN


def parse_healthz(page: Page) -> Health:
    """A page -> OK only for OpenClaw's own body, {"ok": true, "status": "live"}."""
    try:
        body = json.loads(page.body)
    except (ValueError, RecursionError):
        return Health.WRONG_BODY
    if page.status != 200 or not isinstance(body, dict):
        return Health.WRONG_BODY
    live = cast(object, body.get("ok")) is True and body.get("status") == "live"
    return Health.OK if live else Health.WRONG_BODY
