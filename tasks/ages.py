"""A person is told once when a backup gets too old, and when it is new again."""

from __future__ import annotations

from tasks.core.ages import old_backups
from tasks.core.situation import Level, Situation, is_in_maintenance
from tasks.core.state import Ssh
from tasks.notify import alert
from tasks.told import news


def report_ages(s: Situation) -> None:
    """Of every node that answers and is not in maintenance; else what was told stays so."""
    for name, seen in s.observations.items():
        if seen.ssh is not Ssh.OK or is_in_maintenance(s, seen):
            continue
        tier = "primary tier" if name == s.site.preferred else "DR tier"
        lines = old_backups(s, seen)
        new, is_over = news(s.site, f"backups on {name}", lines)
        if new:
            alert(s.site, Level.WARN, f"Backups on {name}, the {tier}: {'; '.join(new)}")
        elif is_over:
            alert(s.site, Level.OK, f"Backups on {name}, the {tier}, are new enough again")
