"""Which snapshots are kept. Pure: ids and times in, ids to delete out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

MINUTES, HOUR, DAY, WEEK = 300.0, 3600.0, 86400.0, 604800.0

# (width of a bucket in seconds, how many buckets): the newest snapshot of each bucket is kept.
MEMORY_PLAN = ((MINUTES, 12), (HOUR, 24), (DAY, 14), (WEEK, 8))
BACKUP_PLAN = ((HOUR, 24), (DAY, 7), (WEEK, 4))

FEWEST = 3


def choose_old(
    times: Mapping[str, float],
    keep: Collection[str],
    now: float,
    plan: Sequence[tuple[float, int]],
    fewest: int = FEWEST,
) -> list[str]:
    """Ids to delete, oldest first. `times`: id -> Unix seconds of every verified snapshot.

    Only buckets that hold a snapshot count, so neither a gap of weeks nor a clock that jumped
    ahead makes the history old. Never deleted: what is in `keep` (pinned, current), the newest
    `fewest`, and a snapshot from the future (the clock jumped back: its age is not known).
    """
    newest_first = sorted(times, key=lambda snapshot: (times[snapshot], snapshot), reverse=True)
    past = [snapshot for snapshot in newest_first if times[snapshot] <= now]
    kept = {*keep, *newest_first[:fewest], *past[:fewest]}
    for width, count in plan:
        buckets: dict[int, str] = {}
        for snapshot in past:
            buckets.setdefault(int(times[snapshot] // width), snapshot)
        kept.update(list(buckets.values())[:count])
    return [snapshot for snapshot in reversed(past) if snapshot not in kept]
