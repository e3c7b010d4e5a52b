"""The kernel's lock of a file: it is free when its process ends, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

# flock has no deadline: a waiter with one looks again so often.
LOOK_SECONDS = 0.05


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold the lock of `path`, which is made when it is missing; yields its descriptor.

    Raises BlockingIOError at once when another holds it and this is not to `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked_or(error: Exception, path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of `path`. Raises `error` when another still holds it after `seconds`."""
    end = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(path, wait=False))
                break
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    raise error from None
                time.sleep(min(LOOK_SECONDS, left))
        yield
