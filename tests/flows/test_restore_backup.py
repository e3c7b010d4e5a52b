"""A backup comes back by the form, from either tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.backup import backup_dr_tier, backup_primary_tier
from flows.restore_backup import restore_backup
from tasks.core.errors import Refused
from tests.flows.runs import alerts, last_name, run_state
from tests.site_machines import Ground


def test_it_is_said_first_and_then_comes_from_the_tier_that_is_named(
    place: Ground, tmp_path: Path
) -> None:
    for flow in (backup_primary_tier, backup_dr_tier):
        assert run_state(flow, place.site_file).is_completed()
    target = tmp_path / "back"
    text = restore_backup("oc-core", str(target), site_file=place.site_file)
    assert text.startswith("Would restore ") and f"to {target} on pc-a" in text
    assert not target.exists()
    text = restore_backup("oc-core", str(target), "dr", dry_run=False, site_file=place.site_file)
    assert f"to {target} on pc-b" in text and last_name(restore_backup) == text
    assert any(told == text for _, told in alerts(place))
    tree = place.three.nodes["pc-b"].state / "stores/backup/oc-core/current/tree"
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()) == names


def test_what_does_not_exist_is_refused_by_name(place: Ground, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no source nothing, only oc-"):
        restore_backup("nothing", str(tmp_path / "x"), site_file=place.site_file)
    with pytest.raises(Refused, match="has no verified snapshot"):
        restore_backup("oc-core", str(tmp_path / "x"), site_file=place.site_file)
