"""Tell systemd that this program is ready, or alive; without systemd nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """One datagram socket to $NOTIFY_SOCKET, kept open."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        address = os.environ.get("NOTIFY_SOCKET", "")
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._address = "\0" + address[1:] if address.startswith("@") else address

    def say(self, text: str) -> None:
        """`READY=1`, `WATCHDOG=1` or `STATUS=...`; one that cannot be sent is dropped."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
