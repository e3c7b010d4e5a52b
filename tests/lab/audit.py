"""The invariants that the oracle does not see, looked at ten times a second during every fault.

I2: epochs only grow, on each disk. I4: a gateway that runs has a term. I5: none starts without one.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from tests.lab.commands import Failed
from tests.lab.hosts import Host
from tests.lab.site import MACHINES, NODES, Site
from tests.lab.watcher import runs_gateway

EVERY_SECONDS = 0.1
# A look reads the kernel's lists first and the term a moment later, and the fuse needs a tick.
SLACK_SECONDS = 0.7
# After a freeze the gateway has run on until its guard was awake, too.
AFTER_THAW_SECONDS = 2.0


class Auditor:
    """Looks from construction to `stop`; `broken` are the sentences about what it found."""

    def __init__(self, site: Site) -> None:
        self.site, self.broken = site, list[str]()
        self.looks = 0
        self._epochs = dict.fromkeys(MACHINES, 0)
        self._ran = dict.fromkeys(NODES, True)  # whatever ran before was not started in our sight
        self._without_term: dict[str, float] = {}
        self._excused: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def forget(self, name: str) -> None:
        """This machine's record was taken away by the test itself."""
        self._epochs[name] = 0

    def excuse(self, name: str, seconds: float) -> None:
        """This node was frozen until now, or will be: its gateway is the oracle's matter alone."""
        self._excused[name] = time.monotonic() + seconds

    def stop(self) -> list[str]:
        """End the audit and return what was broken; safe to repeat."""
        self._ending.set()
        self._thread.join()
        return self.broken

    def _run(self) -> None:
        while not self._ending.wait(EVERY_SECONDS):
            for name in MACHINES:
                self._look_at_record(name)
            for name in NODES:
                self._look_at_term(name, self.site.nodes[name])
            self.looks += 1

    def _look_at_record(self, name: str) -> None:
        record = self.site.record(self.site.lab.hosts[name])
        if record is not None and record[0] < self._epochs[name]:
            self._tell(f"I2: {name} went back from epoch {self._epochs[name]} to {record[0]}")
        if record is not None:
            self._epochs[name] = record[0]

    def _look_at_term(self, name: str, host: Host) -> None:
        runs = host.is_on and runs_gateway(host.group.folder)
        begins, self._ran[name] = runs and not self._ran[name], runs
        if not runs or time.monotonic() < self._excused.get(name, 0.0):
            self._without_term.pop(name, None)
            return
        try:
            now = host.boottime()
        except (Failed, OSError):
            return
        term = self.site.note(host, "term.json")
        if begins and float(term.get("until", 0.0)) <= now:
            self._tell(f"I5: {name} started a gateway without a term: {term}")
        if float(term.get("serve_until", 0.0)) > now:
            self._without_term.pop(name, None)
            return
        since = self._without_term.setdefault(name, now)
        if now - since > SLACK_SECONDS:
            self._tell(f"I4: {name} has run a gateway without a term for {now - since:.1f} s")

    def _tell(self, sentence: str) -> None:
        if sentence not in self.broken:
            self.broken.append(sentence)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
