"""Runs fault tests each in a lab of its own: two at a time, or $DUALJOE_LABS.

Most of their time is waiting, and labs do not see each other: the same addresses are in networks of
their own. Only on a machine that does nothing else: a lab with a Prefect or with the real OpenClaw
takes a core while these start, and then three on two cores miss the times that they measure.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.lab.service import Service

AT_ONCE = max(1, int(os.environ.get("DUALJOE_LABS", "2")))


class Fault(NamedTuple):
    """What is done to a service of its own, made with these keywords.

    `alone`: beside no other lab, for it needs the whole machine to be in time.
    """

    run: Callable[[Service], object]
    service: Mapping[str, Any] = {}
    alone: bool = False


class Outcome:
    """What came of one fault: what it said, and the error that it ended with, if any."""

    def __init__(self, said: Sequence[str], error: BaseException | None) -> None:
        self.said, self.error = tuple(said), error


class SideBySide:
    """Begins with all `faults`, some at once, in their order."""

    def __init__(self, faults: dict[str, Fault]) -> None:
        self._lock = threading.Lock()
        self._running: set[Service] = set()
        self._is_ending = False
        self._gathering, self._places = threading.Lock(), threading.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="lab")
        self._outcomes: dict[str, Future[Outcome]] = {
            name: self._pool.submit(self._run, fault) for name, fault in faults.items()
        }

    def outcome(self, name: str) -> Outcome:
        """Wait for one of them to end."""
        return self._outcomes[name].result()

    def close(self) -> None:
        """End what has not ended yet, at once."""
        with self._lock:
            self._is_ending = True
            running = list(self._running)
        for service in running:
            service.close()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, fault: Fault) -> Outcome:
        with self._room(fault), TemporaryDirectory(prefix="dj-lab") as folder:
            try:
                service = Service(Path(folder), **fault.service)
            except BaseException as error:
                return Outcome((), error)
            with self._lock:
                self._running.add(service)
            try:
                return self._try(service, fault)
            finally:
                service.close()
                with self._lock:
                    self._running.discard(service)

    @contextmanager
    def _room(self, fault: Fault) -> Iterator[None]:
        """A place among those that run, or all of them."""
        places = AT_ONCE if fault.alone else 1
        with self._gathering:  # two that each held a part of the places would wait for ever
            for _ in range(places):
                self._places.acquire()
        try:
            yield
        finally:
            self._places.release(places)

    def _try(self, service: Service, fault: Fault) -> Outcome:
        """The fault, and after it the audit of every invariant, not only of the one at hand."""
        try:
            fault.run(service)
        except BaseException as error:
            service.say(service.report())
            return Outcome(service.said, error)
        try:
            service.audit()
        except BaseException as error:
            return Outcome(service.said, error)
        return Outcome(service.said, None)
