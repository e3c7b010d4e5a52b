"""T440's silence is noticed without T440: a guard that sees no health check raises an alarm."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from .children import spawn
from .config import NodeConfig
from .durable import replace_file
from .errors import Failed

REMINDER_SECONDS = 3600.0
COMMAND_SECONDS = 60.0
ALARM, ALL_CLEAR, NOTHING = "alarm", "all clear", ""


class Deadman:
    """Says once that no check came for `limit` seconds, then hourly, and once that one came."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._told_at: float | None = None

    def look(self, now: float, checked_at: float) -> str:
        """ALARM, ALL_CLEAR or NOTHING; both times are CLOCK_BOOTTIME, 0 = since the boot."""
        if now - checked_at < self.limit:
            was_told, self._told_at = self._told_at is not None, None
            return ALL_CLEAR if was_told else NOTHING
        if self._told_at is not None and now < self._told_at + REMINDER_SECONDS:
            return NOTHING
        self._told_at = now
        return ALARM


def note_check(config: NodeConfig, now: float) -> None:
    """A health check of T440 has reached this node; a full run folder is no reason to refuse it."""
    content = json.dumps({"boot_id": config.boot_id(), "at": now})
    with contextlib.suppress(OSError):
        replace_file(config.run / "checked.json", content.encode())


def checked_at(config: NodeConfig) -> float:
    """When the last check came, on CLOCK_BOOTTIME; 0 for none in this boot."""
    try:
        raw = json.loads((config.run / "checked.json").read_bytes())
        return float(raw["at"]) if raw["boot_id"] == config.boot_id() else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def message(config: NodeConfig, what: str, now: float, since: float) -> str:
    """What a person is told."""
    if what == ALL_CLEAR:
        return f"Joe: health checks reach {config.name} again."
    silent = f"{(now - since) / 60:.0f} min"
    return (
        f"Joe: no health check has reached {config.name} for {silent}. T440, its Prefect or the way"
        " to it is down. Joe serves on where he is, but nobody would move him. Look on T440:"
        " joe.pyz status"
    )


def tell(text: str) -> None:
    """For the guard: have `joe.pyz alarm` tell it, beside the guard's own work. Raises OSError."""
    spawn((sys.executable, "-IS", sys.argv[0], "alarm", text))


def alarm(config: NodeConfig, *words: str) -> int:
    """`joe.pyz alarm TEXT`: hand a text to the command of node.json's `alarm`, on its input.

    Raises Failed when there is none, or it fails.
    """
    if not config.alarm:
        raise Failed("node.json has no alarm", 'name a command that reads a text: "alarm": [...]')
    try:
        done = subprocess.run(
            config.alarm, input=" ".join(words).encode(), timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"the alarm's command: {error}") from None
    return done.returncode
