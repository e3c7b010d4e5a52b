"""The hourly scrub on three machines: what rotted is healed from the other tier and told once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from deployments.node.scrub import share_of
from flows.backup import backup_dr_tier, backup_primary_tier
from flows.scrub import scrub
from tasks.scrub import SHARES, scrub_lock
from tests.flows.runs import alerts, last_name, run_state, versions
from tests.site_machines import Ground


def text_of_share(share: int) -> str:
    """A text that the scrub reads in that share."""
    texts = (f"text {number}\n" for number in range(10_000))
    return next(
        text
        for text in texts
        if share_of(hashlib.sha256(text.encode()).hexdigest(), SHARES) == share
    )


def stored(place: Ground, node: str, name: str) -> Path:
    return place.three.nodes[node].state / "stores/backup/oc-core/current/tree" / name


def rot(file: Path) -> None:
    """Flip one bit; size and time stay."""
    status, data = file.stat(), bytearray(file.read_bytes())
    data[0] ^= 1
    with file.open("r+b") as stream:
        stream.write(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def told(place: Ground) -> list[tuple[str, str]]:
    return [(level, text) for level, text in alerts(place) if text.startswith("Files in ")]


@pytest.fixture
def backed_up(place: Ground) -> Ground:
    """Both tiers have a file of the first share and one of the second."""
    for share in range(2):
        (place.three.sources["oc-core"] / f"share-{share}.txt").write_text(text_of_share(share))
    for flow in (backup_primary_tier, backup_dr_tier):
        assert run_state(flow, place.site_file).is_completed()
    return place


def test_what_rotted_is_healed_from_the_other_tier_and_told_once(backed_up: Ground) -> None:
    file = stored(backed_up, "pc-a", "share-0.txt")
    rot(file)
    assert run_state(scrub, backed_up.site_file).is_completed()
    assert last_name(scrub).endswith(" read: 1 healed, 0 rotten")
    assert file.read_text() == text_of_share(0)
    assert run_state(scrub, backed_up.site_file).is_completed()
    where = "Files in backup/oc-core on pc-a: 1 rotted and healed: share-0.txt in 1 snapshot"
    assert told(backed_up) == [("warn", f"{where} is not what was published")]
    assert float(versions("joe-scrub")[0]) == 100


def test_what_is_good_nowhere_is_told_until_the_source_has_healed_both_tiers(
    backed_up: Ground,
) -> None:
    for node in ("pc-a", "pc-b"):
        rot(stored(backed_up, node, "share-0.txt"))
    for _ in range(2):
        assert run_state(scrub, backed_up.site_file).is_failed()
        assert last_name(scrub).endswith(" read: 0 healed, 2 rotten")
    assert [level for level, _ in told(backed_up)] == ["warn", "warn"], "once a node"
    run_state(backup_primary_tier, backed_up.site_file)  # T440 still has it
    assert run_state(scrub, backed_up.site_file).is_completed()
    assert last_name(scrub).endswith(" read: 2 healed, 0 rotten")
    for node in ("pc-a", "pc-b"):
        assert stored(backed_up, node, "share-0.txt").read_text() == text_of_share(0)
        assert [level for level, text in told(backed_up) if f"on {node}" in text] == ["warn", "ok"]


def test_a_node_that_was_away_misses_no_share(backed_up: Ground) -> None:
    backed_up.three.nodes["pc-b"].power_cut()
    assert run_state(scrub, backed_up.site_file).is_completed()
    assert last_name(scrub).endswith("; pc-b away")
    backed_up.three.nodes["pc-b"].power_on()
    rot(stored(backed_up, "pc-b", "share-0.txt"))  # the share that is due there
    rot(stored(backed_up, "pc-a", "share-1.txt"))  # and here
    assert run_state(scrub, backed_up.site_file).is_completed()
    assert last_name(scrub).endswith(" read: 2 healed, 0 rotten")


def test_there_is_one_scrub_at_a_time(place: Ground) -> None:
    with scrub_lock(place.site):
        assert run_state(scrub, place.site_file).name == "Skipped"
