"""`joe.pyz stay` on a node, over a channel that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import paramiko

from tasks.remote.line import MAX_LINE_BYTES, Line


class SshLine(Line):
    """`open` gives a new channel of the node's connection, within so many seconds.

    Raises Unreachable where `open` does.
    """

    def __init__(self, name: str, open: Callable[[float], paramiko.Channel]) -> None:
        super().__init__(name)
        self._open = open
        self._channel: paramiko.Channel | None = None

    def exchange(self, request: bytes, seconds: float) -> bytes:
        until = time.monotonic() + seconds
        try:
            if self._channel is None:
                self._channel = self._open(seconds)
                self._channel.settimeout(left(until))
                self._channel.exec_command("stay")
            channel, line = self._channel, b""
            channel.settimeout(left(until))
            channel.sendall(request)
            while not line.endswith(b"\n"):
                channel.settimeout(left(until))
                chunk = channel.recv(65536)
                if not chunk or len(line) > MAX_LINE_BYTES:
                    raise EOFError
                line += chunk
            return line
        except paramiko.SSHException as error:
            raise EOFError(str(error)) from None

    def end(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def left(until: float) -> float:
    """Seconds until then; paramiko takes 0 for "do not wait"."""
    return max(0.01, until - time.monotonic())
