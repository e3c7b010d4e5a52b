"""`joe.pyz stay` on a node, over a channel that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable

import paramiko

from tasks.remote.deadline import broken_at
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
        deadline = time.monotonic() + seconds
        is_new = self._channel is None
        channel = self._channel = self._channel or self._open(seconds)
        try:
            with broken_at(deadline, channel.close):
                if is_new:
                    channel.exec_command("stay")
                channel.sendall(request)
                return read_line(channel)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            raise EOFError(str(error)) from None

    def end(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def read_line(channel: paramiko.Channel) -> bytes:
    """Up to the end of the line. Raises EOFError when it does not come, or is too long."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = channel.recv(65536)
        if not chunk or len(line) > MAX_LINE_BYTES:
            raise EOFError
        line += chunk
    return line
