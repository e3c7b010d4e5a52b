"""Which backups of a node are too old: the age of the newest verified one is their health. Pure."""

from __future__ import annotations

from tasks.core.site import Site
from tasks.core.situation import Situation, age
from tasks.core.state import Observation

WARN_INTERVALS, FAIL_INTERVALS = 1.5, 3.0


def old_backups(s: Situation, seen: Observation) -> list[str]:
    """A sentence for each source whose newest verified backup on this node is too old.

    It names the limit, not the age: it stays the same while that is so. What was never backed up
    counts from the record's time.
    """
    since = s.now.wall - s.record_since if s.record_since is not None else 0.0
    lines = []
    for source in s.site.sources:
        found = seen.backup_ages.get(source)
        limit = exceeded(s.site, since if found is None else found)
        if limit:
            lines.append(f"{source}: no verified backup for over {age(limit)}")
    return lines


def exceeded(site: Site, seconds: float) -> float:
    """The larger of the two limits that an age is above, in seconds; 0 when it is above none."""
    limits = (
        FAIL_INTERVALS * site.times.backup_seconds,
        WARN_INTERVALS * site.times.backup_seconds,
    )
    return next((limit for limit in limits if seconds > limit), 0.0)
