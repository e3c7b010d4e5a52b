"""One hash over all that a write to some files changes, so that two looks can be compared."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable

SETTLE_NS = 2 * 10**9
"""A file may be written twice within one tick of its clock: what is so new may change unseen."""
TICK_NS = 10**8
"""The same, for two looks at one pull: a kernel's clock of files ticks each 1 to 10 ms."""


def state_of(
    files: Iterable[tuple[str, os.stat_result]], now_ns: int, settle_ns: int = SETTLE_NS
) -> str:
    """The hash; "" while something is newer than `settle_ns`, and cannot be sure to be the last.

    A time in the future, after the clock was set back, is never sure. Where files have whole
    seconds only, nothing is sure before SETTLE_NS.
    """
    digest, newest = hashlib.sha256(), 0
    for path, status in files:
        times = (status.st_mtime_ns, status.st_ctime_ns)
        newest = max(newest, *times)
        line = (path, status.st_ino, status.st_size, status.st_mode, *times)
        digest.update(json.dumps(line).encode() + b"\n")
    if newest % 10**9 == 0:
        settle_ns = max(settle_ns, SETTLE_NS)
    return "" if newest > now_ns - settle_ns else digest.hexdigest()
