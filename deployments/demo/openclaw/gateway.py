"""The gateway process: one event loop that serves HTTP, polls Telegram and is the agent.

One loop on purpose: when it stands still, everything does, SIGTERM included, as in the real one.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import VERSION
from .agent import make_agents
from .lock import AlreadyOwned, take_lock
from .log import say
from .settings import ConfigInvalid, ConfigMissing, Settings, load_config
from .telegram import Telegram
from .versions import Ledger

EXIT_WILL_NOT_RESTART = 78
TICK_SECONDS = 0.05
# Of the start, when the port opens; measured: /healthz at 5.2 s, ready at 6.6 s.
PORT_OPENS_AT = 0.8
MISSING = "Missing config. Run openclaw setup or set gateway.mode=local in openclaw.json."
OWNED = (
    "Doctor could not enter maintenance. StateDatabaseCoordinatorContentionError: another OpenClaw"
    " process owns gateway-lifecycle Stop the Gateway service and other OpenClaw processes using"
    " this state, then run openclaw doctor --fix from an independent shell."
)
STOP_FIRST = (
    "Stop the service with openclaw gateway stop (or its service owner), then run openclaw doctor"
    " --fix, then start it again with openclaw gateway start."
)


class Gateway:
    """One life of the gateway; `phase` is starting, started or draining."""

    def __init__(self, settings: Settings, config: dict[str, Any], port: int) -> None:
        self.settings, self.port, self.phase = settings, port, "starting"
        self.begun, self.ending = time.monotonic(), asyncio.Event()
        ledger = Ledger(Path(settings.ledger) if settings.ledger else None, settings.node)
        self.agents = make_agents(config, ledger)
        channel = config.get("channels", {}).get("telegram", {})
        self.telegram: Telegram | None = None
        if channel.get("enabled"):
            pause = settings.conflict_pause_seconds
            self.telegram = Telegram(channel, settings.node, pause, self._on_message)

    def _on_message(self, text: str) -> None:
        if self.agents:
            self.agents[0].write_note(text)

    async def live(self) -> int:
        """Start, serve until SIGTERM, drain, end; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        tasks = [asyncio.create_task(self._stand_still_on_request())]
        seconds = float(self.settings.fault("slow-start") or self.settings.start_seconds)
        if await self._ends_within(seconds * PORT_OPENS_AT):
            return 0
        if self.settings.fault("crash-at-start") is not None:
            say("gateway", "crashed on request of a test")
            return 1
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        if not await self._ends_within(seconds * (1 - PORT_OPENS_AT)):
            self.phase = "started"
            say("gateway", f"ready on 127.0.0.1:{self.port}")
            tasks.append(asyncio.create_task(self._write_notes()))
            if self.telegram:
                tasks.append(asyncio.create_task(self.telegram.poll()))
            await self.ending.wait()
            await self._drain()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        say("gateway", "stopped")
        return 0

    def _on_signal(self) -> None:
        ignored = self.settings.fault("ignore-term") is not None
        say("gateway", "signal SIGTERM received" + (", ignored" if ignored else ""))
        if not ignored:
            self.ending.set()

    async def _ends_within(self, seconds: float) -> bool:
        waiting = asyncio.create_task(self.ending.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()
        return self.ending.is_set()

    async def _stand_still_on_request(self) -> None:
        """The fault "hang": block the loop itself, so that nothing of the process goes on."""
        while True:
            while self.settings.fault("hang") is not None:
                time.sleep(TICK_SECONDS)
            await asyncio.sleep(TICK_SECONDS)

    async def _write_notes(self) -> None:
        turn = 0
        while self.agents:
            await asyncio.sleep(self.settings.write_seconds)
            self.agents[turn % len(self.agents)].write_note()
            turn += 1

    async def _drain(self) -> None:
        """Let an active run end, as long as the drain budget lasts; stop at once when idle."""
        self.phase = "draining"
        until = time.monotonic() + self.settings.drain_seconds
        while self.settings.fault("run") is not None and time.monotonic() < until:
            await asyncio.sleep(TICK_SECONDS)

    async def _answer(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            request = (await reading.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path = request.split(" ", 2)[:2]
            status, body = self._respond(method, path.split("?")[0])
            content = body.encode()
            writing.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
                + (b"" if method == "HEAD" else content)
            )
            await writing.drain()
        writing.close()

    def _respond(self, method: str, path: str) -> tuple[str, str]:
        """Method and path -> status line and body, as captured from the real gateway."""
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", "Method Not Allowed"
        started, uptime = self.phase == "started", int((time.monotonic() - self.begun) * 1000)
        # What the real one names while it drains was not captured.
        failing = [] if started else ["draining" if self.ending.is_set() else "startup-sidecars"]
        if path in ("/healthz", "/health"):
            if self.settings.fault("foreign-body") is not None:
                return "200 OK", "<html><body>It works!</body></html>"
            return "200 OK", _json({"ok": True, "status": "live"})
        if path == "/startupz":
            status = {"ok": started, "status": self.phase, "version": VERSION, "uptimeMs": uptime}
            pending = {"pendingReason": failing[0]} if failing else {}
            return _code(started), _json({**status, **pending})
        if path in ("/readyz", "/ready"):
            if self.settings.fault("channel-down") is not None:
                failing.append("telegram")
            ready = {"ready": not failing, "failing": failing, "uptimeMs": uptime}
            return _code(not failing), _json({**ready, **({"eventLoop": {}} if started else {})})
        if path == "/stand-in":  # ours: what the command line must know for `health --json`
            return "200 OK", _json({"telegram": self.telegram.state} if self.telegram else {})
        return "404 Not Found", "Not Found"


def _code(is_well: bool) -> str:
    return "200 OK" if is_well else "503 Service Unavailable"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def run(settings: Settings, port: int) -> int:
    """`openclaw gateway run`: live until SIGTERM; return the exit code, kept for `status`."""
    code = _run(settings, port)
    (settings.state / "stand-in-last-exit").write_text(f"{code}\n")
    return code


def _run(settings: Settings, port: int) -> int:
    try:
        config = load_config(settings)
        lock = take_lock(settings.state)
    except ConfigMissing:
        return _refuse(MISSING)
    except ConfigInvalid as error:
        return _refuse(f"Gateway failed to start: Config invalid: {error}")
    except AlreadyOwned:
        return _refuse(
            f"{OWNED}\n[gateway] requires state migration. {STOP_FIRST}\n"
            f"Gateway failed to start: {OWNED} | gateway.maintenance_required. {STOP_FIRST}"
        )
    say("gateway", f"starting on 127.0.0.1:{port}")
    drain = int(settings.drain_seconds * 1000)
    say("gateway", f"shutdown budget at startup: drain={drain}ms shutdown={drain + 10_000}ms")
    with lock:
        try:
            return asyncio.run(_live(settings, config, port))
        except OSError as error:
            print(f"Gateway failed to start: {error}", file=sys.stderr)
            return 1


async def _live(settings: Settings, config: dict[str, Any], port: int) -> int:
    return await Gateway(settings, config, port).live()


def _refuse(text: str) -> int:
    print(text, file=sys.stderr)
    return EXIT_WILL_NOT_RESTART
