"""The gateway's own /healthz, asked over loopback without ever waiting, and what follows."""

from __future__ import annotations

import contextlib
import json
import os
import socket

MOST_BYTES = 8192
STARTS = 3  # 60 s: as long as T440 waits for a promoted gateway


class Probe:
    """One question at a time; `tick` carries it on and says what came of the last one.

    `well`: True or False by the last answer, None before the first. A gateway that is not live is
    asked again at the next turn, a live one every `every` seconds.
    """

    def __init__(self, port: int, seconds: float, every: float = 2.0) -> None:
        self.well: bool | None = None
        self.detail = ""
        self._port, self._seconds, self._every = port, seconds, every
        self._socket: socket.socket | None = None
        self._began = 0.0
        self._next = 0.0
        self._got = b""
        self._sent = False

    def tick(self, now: float) -> None:
        """Begin, carry on or end a question; call it at each turn while a gateway runs."""
        if self._socket is None:
            if now >= self._next:
                self._begin(now)
            return
        try:
            self._carry_on(self._socket)
        except BlockingIOError:
            if now - self._began > self._seconds:
                self._end(False, f"no answer within {self._seconds:g} s")
        except OSError as error:
            self._end(False, error.strerror or str(error))

    def forget(self) -> None:
        """No gateway runs: the next one is judged anew."""
        self._close()
        self.well, self.detail, self._next = None, "", 0.0

    def _begin(self, now: float) -> None:
        self._began, self._next = now, now + self._every
        self._got, self._sent = b"", False
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket = connection
        connection.connect_ex(("127.0.0.1", self._port))
        with contextlib.suppress(OSError):  # the next tick finds out
            self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        self._sent = True

    def _carry_on(self, connection: socket.socket) -> None:
        if not self._sent:
            self._send(connection)
        while len(self._got) < MOST_BYTES:
            part = connection.recv(4096)
            self._got += part
            if is_live(self._got):
                self._end(True, "")
                return
            if not part:
                break
        self._end(False, f"answered {self._got[:60]!r}")

    def _end(self, well: bool, detail: str) -> None:
        self._close()
        self.well, self.detail = well, detail
        self._next = self._next if well else 0.0

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def is_live(response: bytes) -> bool:
    """Whether an HTTP response is that of a live gateway; a foreign server's 200 is not."""
    head, _, body = response.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.") or head.split(b" ", 2)[1:2] != [b"200"]:
        return False
    try:
        document = json.loads(body)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    return document.get("ok") is True and document.get("status") == "live"


class Wellness:
    """One restart in place for a gateway that runs but is not live; after that, only the report.

    A gateway that systemd restarts after a crash is not live meanwhile, so the grace of 20 s must
    be longer than that takes (10-12 s). A start that goes on is left alone for STARTS graces: on a
    small machine it takes most of a minute, and would be ended again and again. Not so once a start
    came to nothing: then the gateway crashes at each.
    """

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.restarted_at: float | None = None
        self._since: float | None = None
        self._start = ""  # the one that is looked at
        self._lived = ""  # the last one that was ever live
        self._came_to_nothing = False

    def wants_restart(self, now: float, well: bool | None, start: str = "") -> bool:
        """Told at each turn in which a gateway may serve; True once in a row of bad answers.

        `start` is another word with each start of a gateway, "" when none was made.
        """
        if start != self._start:
            self._came_to_nothing |= self._start not in ("", self._lived)
            self._start = start
        if well:
            self._since, self.restarted_at = None, None
            self._lived, self._came_to_nothing = start, False
            return False
        if self._since is None:
            self._since = now
        if self.restarted_at is not None or now - self._since < self._patience():
            return False
        self.restarted_at = now
        return True

    def _patience(self) -> float:
        starts = self._start not in ("", self._lived) and not self._came_to_nothing
        return STARTS * self.grace if starts else self.grace

    def pause(self) -> None:
        """It is not to serve now: what it answers says nothing."""
        self._since, self._start = None, ""

    def reset(self) -> None:
        """Another record, another gateway: it has its own restart."""
        self.pause()
        self.restarted_at, self._came_to_nothing = None, False

    def is_unwell(self, now: float) -> bool:
        """Restarted once, and still not live after it was given its time again."""
        return self.restarted_at is not None and now - self.restarted_at >= self._patience()

    def unwell_seconds(self, now: float) -> float:
        return 0.0 if self._since is None else now - self._since
