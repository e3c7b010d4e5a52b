"""Long-polls the Bot API as the real gateway does: same start sequence, same pause after a 409."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from . import VERSION
from .log import say

CONFLICT = (
    "Telegram getUpdates conflict: {reason}. Another OpenClaw gateway, script, or Telegram poller"
    " may be using this bot token; stop the duplicate poller or switch this account to webhook"
    " mode."
)
RETRY_SECONDS = 1.0


class Conflict(Exception):
    """Another poller took over; the message is the Bot API's."""


class Telegram:
    """The one channel: `state` is what `health --json` shows of it.

    `url` and `token` as in openclaw.json; `on_message` gets the text of each message.
    """

    def __init__(
        self, channel: dict[str, Any], node: str, pause: float, on_message: Callable[[str], object]
    ) -> None:
        self.url, self.token, self.node = channel["apiRoot"], channel["botToken"], node
        self.pause, self.on_message, self.offset = pause, on_message, 0
        self.state: dict[str, Any] = {"lifecycle": "starting", "connected": False}

    async def poll(self) -> None:
        """Poll until cancelled; a conflict or an unreachable API is logged and tried again."""
        await self._greet()
        while True:
            try:
                say("telegram", "[diag] isolated polling ingress started")
                await self._get_updates(0)
                self.state = {"lifecycle": "running", "connected": True}
                while True:
                    await self._get_updates(30)
            except Conflict as conflict:
                text = CONFLICT.format(reason=conflict)
                self.state = {"lifecycle": "recovering", "connected": False, "lastError": text}
                pause = self.pause * random.uniform(1.0, 1.13)  # noqa: S311 - as measured: 30-34 s
                say("telegram", f"[diag] isolated polling ingress failed: {text}")
                say("telegram", f"isolated polling ingress failed; restarting in {pause:.2f}s.")
                await asyncio.sleep(pause)
                await self._retry("deleteWebhook")
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.state = {
                    "lifecycle": "recovering",
                    "connected": False,
                    "lastError": str(error),
                }
                await asyncio.sleep(RETRY_SECONDS)

    async def _greet(self) -> None:
        me = await self._retry("getMe")
        say("telegram", f"[default] starting provider (@{me.get('username')})")
        await self._retry("deleteWebhook")
        await self._retry("setMyCommands", commands=[])

    async def _retry(self, method: str, **params: Any) -> Any:
        """A call that is repeated until the API answers."""
        while True:
            try:
                return await self._call(method, **params)
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                say("telegram", f"{method} failed: {error}; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _get_updates(self, timeout: int) -> None:
        for update in await self._call("getUpdates", timeout=timeout, offset=self.offset):
            self.offset = update["update_id"] + 1
            self.on_message(update.get("message", {}).get("text", ""))

    async def _call(self, method: str, **params: Any) -> Any:
        """POST one method. Raises Conflict on 409, OSError or ValueError for what is no answer."""
        parts, body = urlsplit(self.url), json.dumps(params).encode()
        reading, writing = await asyncio.open_connection(parts.hostname, parts.port or 80)
        try:
            writing.write(
                f"POST {parts.path}/bot{self.token}/{method} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                f"User-Agent: openclaw/{VERSION} ({self.node})\r\n"
                f"Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writing.drain()
            head = await reading.readuntil(b"\r\n\r\n")
            answer = json.loads(await reading.read())
        finally:
            writing.close()
        if head.split(b" ", 2)[1] == b"409":
            raise Conflict(answer["description"])
        if not answer.get("ok"):
            raise ValueError(f"{method}: {answer}")
        return answer["result"]
