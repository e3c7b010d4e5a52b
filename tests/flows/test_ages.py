"""Checks tell once of a backup that gets too old, and once when it is new again."""

from __future__ import annotations

import yaml

from deployments.demo.processes import wait_until
from flows.backup import backup_dr_tier, backup_primary_tier
from flows.health_check import health_check
from tests.flows.runs import alerts, run_state, versions
from tests.site_machines import SECONDS, Ground, ground

INTERVAL = 10.0


def told(place: Ground) -> list[tuple[str, str]]:
    return [(level, text) for level, text in alerts(place) if text.startswith("Backups on")]


def youngest(place: Ground) -> float:
    """The age of the newest of all backups on both nodes."""
    ages = [place.call(name, "observe")["backups"] for name in ("pc-a", "pc-b")]
    return min(float(age) for found in ages for age in found.values())


def test_a_backup_that_gets_too_old_is_told_once_and_so_is_the_next_good_one(
    prefect: None,
) -> None:
    with ground(backup_seconds=INTERVAL) as place:
        document = yaml.safe_load(place.site_file.read_text())
        place.site_file.write_text(yaml.safe_dump({**document, "containers": ["oc-core"]}))
        place.serve()
        for flow in (backup_primary_tier, backup_dr_tier):
            assert run_state(flow, place.site_file).is_completed()
        assert "| oc-core | pc-b (DR) | " in versions("joe-backups")[0]
        run_state(health_check, place.site_file)
        assert told(place) == []
        wait_until(lambda: youngest(place) > 3 * INTERVAL, 5 * SECONDS, "the backups are old")
        for _ in range(2):
            run_state(health_check, place.site_file)
        assert [level for level, _ in told(place)] == ["warn", "warn"], "one of each node"
        text = told(place)[0][1]
        assert text.startswith("Backups on pc-a, the primary tier: ")
        assert "oc-core: no verified backup for over 30 s" in text
        for flow in (backup_primary_tier, backup_dr_tier):
            assert run_state(flow, place.site_file).is_completed()
        run_state(health_check, place.site_file)
        good = [text for level, text in told(place) if level == "ok"]
        assert "Backups on pc-b, the DR tier, are new enough again" in good
