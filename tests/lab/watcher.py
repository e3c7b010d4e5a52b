"""The oracle's own process: one look after another at the gateways, before all other work."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import cache
from tests.lab.cgroups import UNIFIED, pids_below, read_pids
from tests.lab.listening import Listening

UNIT = "openclaw-gateway.service"
PORT = 18789
EVERY_SECONDS = 0.02
LONGEST_GAP_SECONDS = 0.05
# No gateway, and no stand-in for one, starts, polls and ends within so short a time.
SHORTEST_LIFE_SECONDS = 0.5


@dataclass
class Seen:
    """What one watch saw; seconds count from its start."""

    samples: int = 0
    seconds: float = 0.0
    longest_gap: float = 0.0
    blind: list[tuple[float, float, str]] = field(default_factory=list)
    """(when it ended, its length, what stood before and after it), of the gaps `may_hide_two`."""
    both: list[float] = field(default_factory=list)
    """When a sample found a gateway on both nodes."""
    serving: list[tuple[str, float, float]] = field(default_factory=list)
    """(node, from, to), in the order of their beginning; `to` is the last sample that saw it."""

    @property
    def overlap(self) -> float:
        """Seconds with a gateway on both nodes, a sample's time for each."""
        return len(self.both) * EVERY_SECONDS

    def of(self, node: str) -> list[tuple[float, float]]:
        """The intervals in which a node served."""
        return [(begun, ended) for name, begun, ended in self.serving if name == node]

    def served(self, node: str) -> float:
        """Seconds in which a node served."""
        return sum(ended - begun for begun, ended in self.of(node))

    def __str__(self) -> str:
        spans = ", ".join(f"{name} {begun:.2f}-{ended:.2f}" for name, begun, ended in self.serving)
        return (
            f"{self.samples} samples in {self.seconds:.1f} s, longest gap"
            f" {self.longest_gap * 1000:.0f} ms, {len(self.both)} with both;"
            f" serving: {spans or '-'}"
        )


def parse_seen(text: str) -> Seen:
    """The watcher's last line -> Seen."""
    raw: dict[str, Any] = json.loads(text)
    for key in ("serving", "blind"):
        raw[key] = [tuple(one) for one in raw[key]]
    return Seen(**raw)


class Watcher:
    """One look after another at the nodes' gateways."""

    def __init__(self, nodes: dict[str, Path]) -> None:
        self.nodes, self.seen = nodes, Seen()
        self._ports = {name: Ports(group) for name, group in nodes.items()}
        self.begun = self.last = time.monotonic()
        self._before: list[str] = []
        self._open: dict[str, int] = {}  # node -> its present interval in seen.serving

    def sample(self) -> list[str]:
        """Look at both nodes, note what there is, and return those that run a gateway."""
        now = time.monotonic()
        at = round(now - self.begun, 3)
        running = [
            name
            for name, group in self.nodes.items()
            if runs_gateway(group) or self._ports[name].is_open()
        ]
        self.seen.samples += 1
        gap = now - self.last
        self.seen.longest_gap = max(self.seen.longest_gap, gap)
        if may_hide_two(gap, self._before, running):
            self.seen.blind.append((at, round(gap, 3), f"{self._before} then {running}"))
        self.seen.seconds, self.last = at, now
        if len(running) > 1:
            self.seen.both.append(at)
        for name in self.nodes:
            if name not in running:
                self._open.pop(name, None)
                continue
            if name not in self._open:
                self._open[name] = len(self.seen.serving)
                self.seen.serving.append((name, at, at))
            begun = self.seen.serving[self._open[name]][1]
            self.seen.serving[self._open[name]] = (name, begun, at)
        self._before = running
        return running


def may_hide_two(gap: float, before: list[str], after: list[str]) -> bool:
    """Whether two gateways may have run at once between two samples, `gap` seconds apart.

    A machine whose own host takes the processor away samples late, whatever the priority. That
    hides an overlap only where one node's gateway ended and another's began in the gap, or where
    the gap is long enough for the whole life of a gateway.
    """
    if gap > SHORTEST_LIFE_SECONDS:
        return True
    return gap > LONGEST_GAP_SECONDS and len({*before, *after}) > 1


def runs_gateway(group: Path) -> bool:
    """Whether the host of this group has a process in its gateway's unit."""
    units = group / "payload/user.slice" / f"user-{cache.UID}.slice"
    unit = units / f"user@{cache.UID}.service/app.slice" / UNIT
    return _is_populated(unit) and any(map(_is_gateway, pids_below(unit)))


class Ports:
    """The network of one host, through all its boots."""

    def __init__(self, group: Path) -> None:
        self._init_file = group / "payload/init.scope/cgroup.procs"
        self._init = 0
        self._listening: Listening | None = None

    def is_open(self) -> bool:
        """Whether somebody listens on the gateway's port, in whatever unit."""
        init = next(iter(read_pids(self._init_file)), 0)
        if init != self._init:
            if self._listening is not None:
                self._listening.close()
            self._listening = None
            try:
                self._listening = Listening(init) if init else None
            except OSError:
                return False  # it went off at this moment
            self._init = init
        return self._listening is not None and self._listening.has(PORT)


def _is_populated(group: Path) -> bool:
    """Whether there is any process: cheaper to ask than which."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except OSError:
        return False


def _is_gateway(pid: int) -> bool:
    """Not the manager before it becomes the program, nor the question whether it may start."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    words = command.decode(errors="replace").split("\0")
    # Nothing in it: the process is on its way out and has let go of its memory.
    is_manager = words[0].startswith(("/lib/systemd/systemd", "(")) or not words[0]
    return not is_manager and not any(word.endswith("joe.pyz") for word in words)


def watch(nodes: dict[str, Path], ended: Iterable[object]) -> Seen:
    """Sample until `ended` is exhausted, which must yield at once; tell each change."""
    watcher, before = Watcher(nodes), list[str]()
    for _ in ended:
        running = watcher.sample()
        if running != before:
            print(json.dumps(running), flush=True)
        before = running
        # By the plan, not from here: a late sample must not move all that follow.
        due = watcher.begun + watcher.seen.samples * EVERY_SECONDS
        time.sleep(max(0.0, due - time.monotonic()))
    return watcher.seen


def until_closed(descriptor: int) -> Iterator[None]:
    """Yield until the other end of the pipe is closed."""
    os.set_blocking(descriptor, False)
    while True:
        try:
            if not os.read(descriptor, 1):
                return
        except BlockingIOError:
            yield


def main(words: Sequence[str]) -> int:
    """`NAME=GROUP ...`: watch until standard input is closed, then print what was seen."""
    pairs = [word.split("=", 1) for word in words]
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    print(time.monotonic(), flush=True)
    seen = watch({name: UNIFIED / group for name, group in pairs}, until_closed(0))
    print(json.dumps(vars(seen)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
