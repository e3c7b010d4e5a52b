"""The one clock of the term protocol."""

from __future__ import annotations

import time


def boottime() -> float:
    """Seconds since this machine's boot, those in which it was suspended included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
