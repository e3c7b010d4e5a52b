"""The table of all backups, as a person reads it in the UI."""

from __future__ import annotations

from typing import Any

from tasks.core.tiers import describe_tiers, in_words
from tests.core.sites import NOW, site


def store(
    age: float | None,
    *sizes: int,
    rejected: int = 0,
    rotten: int = 0,
    drill: dict[str, Any] | None = None,
) -> dict[str, Any]:
    snapshots = [{"id": str(number), "bytes": size} for number, size in enumerate(sizes)]
    return {
        "current": snapshots[-1]["id"] if snapshots else None,
        "age_seconds": age,
        "snapshots": snapshots,
        "rejected": [{}] * rejected,
        "rotten": rotten,
        "drill": drill,
    }


def test_each_source_on_each_tier_is_a_row() -> None:
    stores = {
        "pc-a": {
            "backup/oc-core": store(1200, 10, 5_400_000, rotten=3),
            "backup/oc-work": store(None),
        },
        "pc-b": {
            "backup/oc-core": store(
                90_000, 2000, rejected=1, drill={"time": NOW.wall - 7200, "wrong": []}
            ),
            "backup/oc-work": store(60, 2000, drill={"time": NOW.wall - 60, "wrong": ["a", "b"]}),
        },
    }
    assert describe_tiers(site(), stores, NOW.wall) == (
        "| source | tier | newest verified | size | kept | refused | rotten | last drill |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| oc-core | pc-a (primary) | 20 min old | 5 MB | 2 |  | 3 |  |\n"
        "| oc-core | pc-b (DR) | 25 h old | 2 kB | 1 | 1 |  | good, 2 h ago |\n"
        "| oc-work | pc-a (primary) | none |  | 0 |  |  |  |\n"
        "| oc-work | pc-b (DR) | 60 s old | 2 kB | 1 |  |  | 2 wrong, 60 s ago |\n"
        "| t440 | pc-a (primary) | none |  | 0 |  |  |  |\n"
        "| t440 | pc-b (DR) | none |  | 0 |  |  |  |\n"
    )


def test_a_node_that_is_away_is_not_known() -> None:
    told = describe_tiers(site(), {"pc-a": {}}, NOW.wall)
    assert "| oc-core | pc-b (DR) | not known |  |  |  |  |  |" in told


def test_sizes_are_told_in_words() -> None:
    assert [in_words(size) for size in (0, 999, 1500, 63e6, 2.5e9)] == [
        "0 B",
        "999 B",
        "2 kB",
        "63 MB",
        "2.5 GB",
    ]
