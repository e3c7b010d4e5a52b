"""T440's decision to move Joe, by the rules of a health check and with T440's own program.

It stands in for Prefect: the terms must hold whoever decides, and however often.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from deployments.node.timing import Timing
from tests.lab.commands import Failed
from tests.lab.files import OWN
from tests.lab.site import NODES, Site

OTHER_HEARD_SECONDS = 6.0
WATCH_SECONDS = 60.0
BETWEEN_MOVES_SECONDS = 10.0
LOOK_SECONDS = 1.0
SILENT_GUARD_SECONDS = 10.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Move:
    """One move that was made: when (time.monotonic), to whom, and why."""

    at: float
    epoch: int
    to: str
    reason: str


class Watchdog:
    """Checks from construction to `stop`: at once after a silence, or only each `every` seconds.

    `watch`: a moved gateway that is not well after so many seconds is moved back.
    """

    def __init__(
        self, site: Site, every: float, watch: float, say: Callable[[str], object]
    ) -> None:
        self.site, self.every, self.watch, self._say = site, every, watch, say
        self.times = Timing()
        self.moves: list[Move] = []
        self._next_probe = 0.0
        self._unwell = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more decisions; safe to repeat."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(self.every or LOOK_SECONDS):
            try:
                self.check()
            except (Failed, OSError, KeyError, ValueError):
                continue  # T440 is off, or on its way

    def check(self) -> None:
        """Look, decide, and move Joe when the holder is lost and the other node is there."""
        t440 = self.site.t440
        if not t440.is_on:
            return
        if self.moves and time.monotonic() < self.moves[-1].at + BETWEEN_MOVES_SECONDS:
            return
        seen = self.site.joe(t440, "observe", timeout=PROBE_SECONDS)
        if seen["record"] is None:
            return
        holder = seen["record"]["holder"]
        other = next(name for name in NODES if name != holder)
        heard = seen["heard"]
        if other not in heard or heard[other]["asked_s"] > OTHER_HEARD_SECONDS:
            return
        silent = self._silence(heard, holder, other)
        if silent >= self.times.silence and self._is_lost(heard, holder):
            self.move(other, f"{holder} silent for {silent:.1f} s, heard by nobody")
        elif silent < self.times.silence and self._is_unwell(holder):
            self.move(other, f"{holder} runs a gateway that is not well")
        elif self.moves and self.moves[-1].to == holder and self._came_to_nothing(holder):
            self.move(other, f"{holder} does not serve {self.watch:.0f} s after the move")

    def move(self, to: str, reason: str) -> None:
        """The one durable write. Raises Failed when T440 does not make it."""
        record = self.site.record(self.site.t440)
        if record is None:
            raise Failed("T440 has no record")
        expect = {"epoch": record[0], "holder": record[1]}
        answer = self.site.joe(self.site.t440, "record write", holder=to, expect=expect)
        epoch = answer["record"]["epoch"]
        self.moves.append(Move(time.monotonic(), epoch, to, reason))
        self._say(f"moved to {to}, epoch {epoch}: {reason}")

    def _silence(self, heard: dict[str, Any], holder: str, other: str) -> float:
        """Seconds since anybody heard the holder say that it serves; at most since T440's boot."""
        ages = [self.site.t440.boottime()]
        if holder in heard and heard[holder]["serving_s"] is not None:
            ages.append(heard[holder]["serving_s"])
        if heard[other]["peer_heard_s"] is not None:
            ages.append(heard[other]["peer_heard_s"] + heard[other]["asked_s"])
        return min(ages)

    def _probe(self, node: str) -> dict[str, Any]:
        """What a node says of itself over ssh; {} when it does not answer."""
        options = ("BatchMode=yes", "ConnectTimeout=3", f"UserKnownHostsFile={OWN}/known_hosts")
        flags = tuple(word for option in options for word in ("-o", option))
        ends = ("-i", f"{OWN}/keys/control", self.site.nodes[node].address, "observe")
        done = self.site.t440.ask(("ssh", *flags, *ends), timeout=PROBE_SECONDS)
        answer: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return answer

    def _is_lost(self, heard: dict[str, Any], node: str) -> bool:
        """It does not answer, or nothing serves there and its guard asks no more.

        A node that answers and asks is left to its guard: it may only be waiting for its votes.
        """
        seen = self._probe(node)
        asks = node in heard and heard[node]["asked_s"] < self.times.silence
        return not seen or (not seen["gateway"]["pids"] and not asks)

    def _is_unwell(self, node: str) -> bool:
        """Restarted in place by its guard and still not well, or left by a guard that hangs."""
        if time.monotonic() >= self._next_probe:
            self._next_probe = time.monotonic() + 2.0
            seen = self._probe(node)
            status = seen.get("guard") or {"state": "", "age": 0.0}
            is_left = status["age"] > SILENT_GUARD_SECONDS and not seen["gateway"]["pids"]
            self._unwell = status["state"] == "unwell" or is_left
        return self._unwell

    def _came_to_nothing(self, node: str) -> bool:
        if time.monotonic() < self.moves[-1].at + self.watch:
            return False
        return not (self._probe(node).get("guard") or {}).get("live")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
