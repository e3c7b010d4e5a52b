"""The ground truth about two Joes: which node runs a gateway, sampled from the box every 20 ms.

It reads the kernel's own lists, so neither a cut network nor a frozen host can hide a gateway. It
runs in a process of its own, before all others, because a sample that comes late proves nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deployments.demo.processes import wait_until
from tests.lab import cache
from tests.lab.cgroups import Group, pids_below, read_pids
from tests.lab.commands import is_listening

UNIT = "openclaw-gateway.service"
PORT = 18789
EVERY_SECONDS = 0.02
LONGEST_GAP_SECONDS = 0.05
SUMMARY_SECONDS = 20.0


@dataclass
class Seen:
    """What one watch saw; seconds count from its start."""

    samples: int = 0
    seconds: float = 0.0
    longest_gap: float = 0.0
    late: list[tuple[float, float, float]] = field(default_factory=list)
    """(when, the gap before it, the time that the sample before it took), of the late ones."""
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


class Oracle:
    """Watches the groups of these hosts from construction to `stop`."""

    def __init__(self, groups: dict[str, Group]) -> None:
        words = [f"{name}={group.folder.name}" for name, group in groups.items()]
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.lab.oracle", *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(cache.PROJECT)},
            text=True,
        )
        self.running: tuple[str, ...] = ()
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()
        wait_until(lambda: bool(self._lines), SUMMARY_SECONDS, "the oracle has begun")
        self.begun = float(self._lines[0])

    def now(self) -> float:
        """Seconds since the watch began."""
        return time.monotonic() - self.begun

    def wait_for(self, *nodes: str, seconds: float) -> float:
        """Until exactly these nodes run a gateway; returns when, by `now`. Raises TimeoutError."""
        what = f"the gateway runs on {', '.join(nodes) or 'no node'}"
        wait_until(lambda: sorted(self.running) == sorted(nodes), seconds, what)
        return self.now()

    def stop(self) -> Seen:
        """End the watch and return what it saw; safe to repeat."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait(SUMMARY_SECONDS)
        self._reader.join(SUMMARY_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return parse_seen(self._lines[-1])

    def _follow(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line)
            if line.startswith("["):
                self.running = tuple(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def parse_seen(text: str) -> Seen:
    """The watcher's last line -> Seen."""
    raw: dict[str, Any] = json.loads(text)
    for key in ("serving", "late"):
        raw[key] = [tuple(one) for one in raw[key]]
    return Seen(**raw)


class Watcher:
    """One look after another at the nodes' gateways."""

    def __init__(self, nodes: dict[str, Path]) -> None:
        self.nodes, self.seen = nodes, Seen()
        self.begun = self.last = time.monotonic()
        self._took = 0.0
        self._open: dict[str, int] = {}  # node -> its present interval in seen.serving

    def sample(self) -> list[str]:
        """Look at both nodes, note what there is, and return those that run a gateway."""
        now = time.monotonic()
        at = round(now - self.begun, 3)
        running = [name for name, folder in self.nodes.items() if runs_gateway(folder)]
        self.seen.samples += 1
        gap = now - self.last
        self.seen.longest_gap = max(self.seen.longest_gap, gap)
        if gap > LONGEST_GAP_SECONDS:
            self.seen.late.append((at, round(gap, 3), round(self._took, 3)))
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
        self._took = time.monotonic() - now
        return running


def runs_gateway(folder: Path) -> bool:
    """Whether the host of this group has a process in the gateway's unit, or its port open."""
    units = folder / "payload/user.slice" / f"user-{cache.UID}.slice"
    unit = units / f"user@{cache.UID}.service/app.slice" / UNIT
    if _is_populated(unit) and any(map(_is_gateway, pids_below(unit))):
        return True
    init = read_pids(folder / "payload/init.scope/cgroup.procs")
    return bool(init) and is_listening(init[0], PORT)


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
    from tests.lab.cgroups import UNIFIED

    pairs = [word.split("=", 1) for word in words]
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    print(time.monotonic(), flush=True)
    seen = watch({name: UNIFIED / group for name, group in pairs}, until_closed(0))
    print(json.dumps(vars(seen)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
