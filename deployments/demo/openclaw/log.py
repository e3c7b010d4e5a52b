"""The gateway's log lines, as the real one prints them."""

from __future__ import annotations

import time


def say(part: str, text: str) -> None:
    """Print one line: time, part of the program, text."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    print(f"{stamp}.{int(now * 1000) % 1000:03d}+00:00 [{part}] {text}", flush=True)
