"""Deadlines for what waits on ssh.

paramiko's own timeouts cover single waits, not the whole of a connect or a command, and some of its
waits have none: a timer breaks the socket or the channel when the deadline has passed, and whatever
waits then fails at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator


def remaining(deadline: float) -> float:
    """Seconds left, never 0: 0 would mean "do not block" to a socket."""
    return max(deadline - time.monotonic(), 0.001)


@contextlib.contextmanager
def broken_at(deadline: float, break_it: Callable[[], object]) -> Iterator[None]:
    """Call `break_it` when the deadline passes while the block still runs."""
    timer = threading.Timer(remaining(deadline), break_it)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
