"""Rule 6: kills a gateway that outlives its term, whatever the guard is doing.

A small second process: no network, no lock, no disk, no process of its own. It sleeps by
CLOCK_MONOTONIC and judges by BOOTTIME, so that it also acts right after a suspend.
"""

from __future__ import annotations

import sys
import time

from .clock import boottime
from .config import NodeConfig
from .gateway import is_serving, kill_now
from .kept import load_term_file
from .sdnotify import Notifier
from .term_file import fuse_blows


def run_fuse(config: NodeConfig) -> int:
    """Look every tick, for ever."""
    notifier, boot_id, blown = Notifier(), config.boot_id(), False
    notifier.say("READY=1")
    while True:
        if not fuse_blows(boottime(), boot_id, load_term_file(config), config.times):
            blown = False
        elif is_serving(config):
            kill_now(config)
            if not blown:  # once a blow, not twice a second
                print("joe fuse: the term is over: the gateway was killed", file=sys.stderr)
            blown = True
        notifier.say("WATCHDOG=1")
        time.sleep(config.times.tick)
