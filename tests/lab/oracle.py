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
from types import TracebackType
from typing import Self

from deployments.demo.processes import wait_until
from tests.lab import cache
from tests.lab.cgroups import Group
from tests.lab.watcher import Seen, parse_seen

SUMMARY_SECONDS = 20.0


class Oracle:
    """Watches the groups of these hosts from construction to `stop`."""

    def __init__(self, groups: dict[str, Group]) -> None:
        words = [f"{name}={group.folder.name}" for name, group in groups.items()]
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.lab.watcher", *words),
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
