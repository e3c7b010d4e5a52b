"""How long this run may act, and whether somebody ended it.

A thread cannot be killed. So each effect asks here first, and the worker that started the thread
holds the same `Deadline`. A run in a process of its own has none, and may always act.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar

from tasks.core.errors import DeadlineExceeded, RunCancelled


class Deadline:
    """The last moment at which one run may begin an effect; shared by two threads.

    Counted on the clock that goes on while the machine is suspended.
    """

    def __init__(self, seconds: float) -> None:
        self.begun = _now()
        self.until = self.begun + seconds
        self.cancelled = ""  # the reason
        self.refused = False  # an effect was refused because of it
        self.committed = False
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises DeadlineExceeded or RunCancelled when this run may not act any more."""
        with self._lock:
            self._check()

    def commit(self) -> None:
        """From here on the run goes on to its end, cancelled or not. Raises as check."""
        with self._lock:
            self._check()
            self.committed = True

    def cancel(self, why: str) -> bool:
        """Refuse every further effect; False when the run has committed and goes on."""
        with self._lock:
            self.cancelled = self.cancelled or why
            return not self.committed

    def set_until(self, until: float) -> None:
        """Move the last moment. Raises as check: a run that is over does not begin again."""
        with self._lock:
            self._check()
            self.until = until

    def late_seconds(self) -> float:
        """Seconds since the last moment; below 0 before it."""
        return _now() - self.until

    def _check(self) -> None:
        if self.cancelled and not self.committed:
            self.refused = True
            raise RunCancelled(self.cancelled)
        if _now() >= self.until:
            limit = self.until - self.begun
            raise DeadlineExceeded(f"this run began over {limit:.0f} s ago: it does nothing more")


current: ContextVar[Deadline | None] = ContextVar("dual_joe_deadline", default=None)


def check() -> None:
    """At the head of every effect. Raises DeadlineExceeded or RunCancelled when it may not be."""
    deadline = current.get()
    if deadline is not None:
        deadline.check()


def commit() -> None:
    """At the head of the effect that is not taken back: what follows is not cancelled any more."""
    deadline = current.get()
    if deadline is not None:
        deadline.commit()


def limit_run(seconds: float) -> None:
    """This run may act for so long since its start."""
    deadline = current.get()
    if deadline is not None:
        deadline.set_until(deadline.begun + seconds)


def allow(seconds: float) -> None:
    """This run may act for so long from now."""
    deadline = current.get()
    if deadline is not None:
        deadline.set_until(_now() + seconds)


def left_seconds(otherwise: float) -> float:
    """Seconds in which this run may still act; `otherwise` when it has no deadline."""
    deadline = current.get()
    return otherwise if deadline is None else max(0.0, -deadline.late_seconds())


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
