"""The mark that a gateway may be running here: from just before its start until its proven stop.

Between a permit and the first process of a gateway nothing else shows that one is about to run; the
voter must not lend this machine's vote in that moment.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import NamedTuple

from .clock import boottime
from .config import NodeConfig
from .durable import replace_file
from .processes import Stat, read_stat


class Mark(NamedTuple):
    """`id` is new with each start; `pid` 0 = not known (systemd knows it, or not yet spawned)."""

    id: str
    pid: int = 0
    started: int = 0

    def leader(self) -> Stat | None:
        """The marked process, if it still runs."""
        stat = read_stat(self.pid) if self.pid else None
        return stat if stat is not None and stat.started == self.started else None

    def reused(self) -> bool:
        """Does the pid belong to another process by now?"""
        stat = read_stat(self.pid) if self.pid else None
        return stat is not None and stat.started != self.started


def mark_file(config: NodeConfig) -> Path:
    return config.run / "gateway.json"


def make_mark(config: NodeConfig) -> Mark:
    """Under the lock, once a start is permitted. Raises OSError, and then nothing may start."""
    mark = Mark(f"{os.getpid()}-{boottime():.3f}")
    write_mark(config, mark)
    return mark


def write_mark(config: NodeConfig, mark: Mark) -> None:
    content = {**mark._asdict(), "boot_id": config.boot_id()}
    replace_file(mark_file(config), json.dumps(content).encode())


def load_mark(config: NodeConfig) -> Mark | None:
    """The mark of this boot. What cannot be read is a mark all the same: that is the safe side."""
    try:
        raw = json.loads(mark_file(config).read_bytes())
        if raw["boot_id"] != config.boot_id():
            return None
        return Mark(str(raw["id"]), int(raw["pid"]), int(raw["started"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Mark("unreadable")


def remove_mark(config: NodeConfig, mark: Mark) -> None:
    """Under the lock, after a proven stop; a mark of a later start is left."""
    if load_mark(config) == mark:
        with contextlib.suppress(FileNotFoundError):
            mark_file(config).unlink()
