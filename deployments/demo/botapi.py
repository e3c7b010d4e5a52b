"""A stand-in Telegram Bot API on loopback: the newest poller wins, and a log says who polled."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from .closing import Closing

CONFLICT = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is"
    " running"
)
BOT = {"id": 1, "is_bot": True, "first_name": "Joe", "username": "oc_test_bot"}


class BotApi(Closing):
    """Serves from construction to close(); `url` is openclaw.json's apiRoot.

    `log` gets a JSON line an event: {t, who, event, ...}, event = poll | answered | conflict | the
    method's name. `who` is the node that the client's User-Agent names, since all machines share
    one address here.
    """

    def __init__(self, log: Path, port: int = 0) -> None:
        self.log = log
        self._lines = log.open("a", buffering=1)
        self._changed = threading.Condition()
        self._newest, self._updates, self._last_id = 0, list[dict[str, Any]](), 0
        self._closing = False
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.api = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def push(self, text: str) -> int:
        """A user writes to Joe; returns the update's id."""
        with self._changed:
            self._last_id += 1
            chat = {"id": 7, "type": "private"}
            message = {"message_id": self._last_id, "date": int(time.time()), "text": text}
            self._updates.append({"update_id": self._last_id, "message": {**message, "chat": chat}})
            self._changed.notify_all()
            return self._last_id

    def close(self) -> None:
        """Stop; open polls end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._lines.close()

    def respond(self, who: str, method: str, params: dict[str, Any]) -> tuple[int, Any]:
        """One call -> (HTTP status, result or description)."""
        if method == "getUpdates":
            return self._get_updates(who, int(params.get("timeout", 0)), params.get("offset", 0))
        if method == "push":
            return 200, self.push(str(params.get("text", "")))
        self._note(who, method, **{k: params[k] for k in ("chat_id", "text") if k in params})
        if method == "getMe":
            return 200, BOT
        if method == "sendMessage":
            return 200, {"message_id": 1, "date": int(time.time()), "text": params.get("text")}
        return 200, True

    def _get_updates(self, who: str, timeout: int, offset: int) -> tuple[int, Any]:
        with self._changed:
            self._newest += 1
            mine = self._newest
            self._changed.notify_all()
            self._note(who, "poll", n=mine, timeout=timeout)
            self._updates = [u for u in self._updates if u["update_id"] >= offset]
            self._changed.wait_for(
                lambda: self._closing or self._newest != mine or bool(self._updates), timeout
            )
            lost = self._newest != mine
            self._note(who, "conflict" if lost else "answered", n=mine)
            return (409, CONFLICT) if lost else (200, list(self._updates))

    def _note(self, who: str, event: str, **more: Any) -> None:
        line = {"t": round(time.time(), 3), "who": who, "event": event, **more}
        if not self._lines.closed:
            self._lines.write(json.dumps(line) + "\n")


class _Server(ThreadingHTTPServer):
    api: BotApi
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        try:
            params = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            return self._reply(400, "Bad Request: can't parse JSON")
        method = self.path.split("?")[0].rsplit("/", 1)[-1]
        named = re.search(r"\(([^)]+)\)", self.headers.get("User-Agent", ""))
        who = named[1] if named else self.client_address[0]
        self._reply(*self.server.api.respond(who, method, params))

    do_GET = do_POST

    def _reply(self, status: int, result: Any) -> None:
        answer: dict[str, Any] = {"ok": True, "result": result}
        if status != 200:
            answer = {"ok": False, "error_code": status, "description": result}
        content = json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            pass  # the poller was killed: its poll is still open here, as with the real API

    def log_message(self, format: str, *args: Any) -> None:
        """Our own log says it all."""


class Overlap(NamedTuple):
    """Two live pollers: `who` polled again at `t`, in the same life in which `other` had polled."""

    t: float
    who: str
    other: str


def overlaps(lines: Iterable[str]) -> list[Overlap]:
    """The proofs of two live pollers in a log of BotApi.

    X polls, Y polls, X polls again without a getMe (a start of X) since its first poll. A 409 alone
    proves nothing: the poll of a dead machine stays open until the next one's first call.
    """
    polled: dict[str, float] = {}  # the time of the last poll in each one's present life
    passed_by: dict[str, set[str]] = {}  # who polled since that poll
    found = []
    for event in map(json.loads, lines):
        who = event["who"]
        if event["event"] == "getMe":
            polled.pop(who, None)
            passed_by.pop(who, None)
        elif event["event"] == "poll":
            found += [Overlap(event["t"], who, o) for o in sorted(passed_by.get(who, ()))]
            for other in polled:
                if other != who:
                    passed_by.setdefault(other, set()).add(who)
            polled[who] = event["t"]
            passed_by[who] = set()
    return found
