"""Memory comes back from a snapshot: shown first, then with Joe drained, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.demo.openclaw.install import AGENTS
from flows.memory_sync import memory_sync
from flows.restore_memory import restore_memory
from tasks.core.errors import MoveHeld, Refused
from tasks.core.state import Health
from tasks.journal import move_lock
from tests.flows.runs import alerts, last_name
from tests.site_machines import Ground

NOTE = "memory/2026-11-01-note.md"


@pytest.fixture
def changed(serving: Ground) -> Path:
    """The live note on pc-a, which says something else than the newest snapshot on pc-b."""
    note = serving.three.workspace("pc-a") / NOTE
    note.write_text("# As it was\n")
    memory_sync(serving.site_file)
    note.write_text("# As it became\n")
    return note


def test_a_dry_run_shows_the_diff_while_joe_goes_on(serving: Ground, changed: Path) -> None:
    text = restore_memory(only=f"main/{NOTE}", site_file=serving.site_file)
    assert text.startswith("Would restore 1 of 1 files of 20")
    assert text.endswith("to live memory on pc-a")
    assert changed.read_text() == "# As it became\n"
    assert serving.health("pc-a") is Health.OK
    assert last_name(restore_memory) == text


def test_one_file_comes_back_and_the_other_node_takes_it_over(
    serving: Ground, changed: Path
) -> None:
    text = restore_memory(only=f"main/{NOTE}", dry_run=False, site_file=serving.site_file)
    assert text.startswith("Restored 1 of 1 files")
    assert changed.read_text() == "# As it was\n"
    serving.await_health("pc-a", Health.OK)
    assert (serving.three.workspace("pc-b") / NOTE).read_text() == "# As it was\n"
    kept = text.partition("what was there is kept as ")[2]
    snapshot = serving.three.nodes["pc-a"].state / "stores/memory/snaps" / kept
    assert (snapshot / "tree/main" / NOTE).read_text() == "# As it became\n"
    assert any(text == told for _, told in alerts(serving))
    assert not [told for level, told in alerts(serving) if level == "critical"]


def test_everything_comes_back_although_so_much_changes_at_once(serving: Ground) -> None:
    homes = [serving.three.workspace("pc-a", agent) for agent in AGENTS]
    notes = [note for home in homes for note in sorted(home.rglob("memory/2026-10-*.md"))]
    texts = {note: note.read_text() for note in notes}
    first = serving.call("pc-b", "store list", store="memory")["stores"]["memory"]["current"]
    half = len(notes) // 2
    for part in (notes[:half], notes[half:]):  # each change small enough to be taken
        for note in part:
            note.write_text("# Rewritten\n")
        memory_sync(serving.site_file)
    restore_memory(snapshot=first, dry_run=False, site_file=serving.site_file)
    assert {note: note.read_text() for note in notes} == texts
    taken = serving.three.workspace("pc-b") / notes[0].relative_to(homes[0])
    assert taken.read_text() == texts[notes[0]]
    current = serving.three.nodes["pc-b"].state / "stores/memory/current/manifest.json"
    manifests = [
        json.loads(file.read_text())
        for file in current.resolve().parents[1].glob("*/manifest.json")
    ]
    (accepted,) = [one["accepted"] for one in manifests if one["accepted"]]
    assert accepted["reason"] == f"restored from {first} by hand"


def test_a_folder_beside_is_filled_on_the_node_that_has_the_snapshot(
    serving: Ground, changed: Path, tmp_path: Path
) -> None:
    target = tmp_path / "scratch"
    text = restore_memory(target=str(target), dry_run=False, site_file=serving.site_file)
    assert text.endswith(f"to {target} on pc-b")
    assert (target / "main" / NOTE).read_text() == "# As it was\n"
    assert serving.health("pc-a") is Health.OK


def test_a_snapshot_that_nobody_has_is_refused_with_the_newest(serving: Ground) -> None:
    with pytest.raises(Refused, match=r"there is no snapshot nonsense; the newest are 20"):
        restore_memory(snapshot="nonsense", site_file=serving.site_file)


def test_while_a_move_is_under_way_nothing_is_restored(serving: Ground, changed: Path) -> None:
    with move_lock(serving.site), pytest.raises(MoveHeld):
        restore_memory(dry_run=False, site_file=serving.site_file)
    assert changed.read_text() == "# As it became\n"


def test_an_agent_that_does_not_end_its_work_goes_on(serving: Ground, changed: Path) -> None:
    serving.fault("pc-a", "ignore-term")
    with pytest.raises(Refused, match="did not end its work within 5 s: it goes on"):
        restore_memory(dry_run=False, site_file=serving.site_file)
    assert changed.read_text() == "# As it became\n"
