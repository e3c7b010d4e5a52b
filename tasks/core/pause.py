"""A pause that a person ordered: when it ends, when to remind of it, and its words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.core.state import Moment

MOST_SECONDS = 168 * 3600.0
REMINDER_SECONDS = 86_400.0
SLACK_SECONDS = 3600.0
"""After a boot the wall clock may be behind by so much until it has been set."""


@dataclass(frozen=True)
class Pause:
    """While it lasts no check moves Joe by itself: nowhere, or not to and from one node.

    `node`: the one that is in maintenance, "" when the whole site is paused. `begun`: when, by both
    of T440's clocks, in the boot `boot_id`. `told_wall`: when a person last heard of it.
    """

    reason: str
    seconds: float
    begun: Moment
    boot_id: str
    node: str = ""
    by: str = ""
    told_wall: float = 0.0

    @property
    def until(self) -> float:
        """Wall clock: it lasts no longer than this."""
        return self.begun.wall + self.seconds

    @property
    def short(self) -> str:
        """What is paused until when."""
        what = f"{self.node} is in maintenance" if self.node else "paused"
        return f"{what} until {minute(self.until)}"

    @property
    def said(self) -> str:
        """What is paused until when, by whom and why."""
        by = f" by {self.by}" if self.by else ""
        return f"{self.short}{by} ({self.reason})"


def is_over(pause: Pause, now: Moment, boot_id: str) -> bool:
    """Whether its time has passed by either clock: one that was set back makes it no longer.

    The boot clock counts only within a boot. After one, a wall clock that shows a time before the
    pause began was set back, and cannot be trusted to end it.
    """
    if now.wall >= pause.until:
        return True
    if pause.boot_id == boot_id:
        return not 0 <= now.boot - pause.begun.boot < pause.seconds
    return now.boot >= pause.seconds or now.wall < pause.begun.wall - SLACK_SECONDS


def is_reminder_due(pause: Pause, now: Moment) -> bool:
    """Once a day; a clock that was set back by more than its slack reminds as well."""
    since = now.wall - pause.told_wall
    return since >= REMINDER_SECONDS or since < -SLACK_SECONDS


def effect(pause: Pause) -> str:
    """What it means, in words."""
    if pause.node:
        return (
            f"no check moves Joe to {pause.node} or away from it,"
            " and as the standby it may be away without being a failure"
        )
    return "checks watch and report, and move nothing"


def minute(wall: float) -> str:
    """Seconds since 1970 for a reader: 2026-11-25 06:46 UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
