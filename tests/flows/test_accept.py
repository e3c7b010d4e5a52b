"""What is refused is told once, and a person takes it over by its id."""

from __future__ import annotations

import pytest

from flows.accept import accept
from flows.backup import backup_primary_tier
from flows.memory_sync import memory_sync
from tasks.core.errors import Refused
from tasks.refusals import list_rejected
from tests.flows.runs import alerts, run_state
from tests.site_machines import Ground

LONG = "# Joe\n" + "Joe remembers this line.\n" * 40


@pytest.fixture
def shrunk(serving: Ground) -> str:
    """pc-a's MEMORY.md lost nine tenths after a sync, and two syncs refused it; the first id."""
    serving.fault("pc-a", "crash-at-start")  # nothing but this test writes
    serving.call("pc-a", "gateway kill")
    file = serving.three.workspace("pc-a") / "MEMORY.md"
    file.write_text(LONG)
    memory_sync(serving.site_file)
    file.write_text("# Joe\n")
    for _ in range(2):
        assert run_state(memory_sync, serving.site_file).is_failed()
    return list_rejected(serving.site)[0].snapshot


def test_a_refusal_is_told_once_with_the_command_that_accepts_it(
    serving: Ground, shrunk: str
) -> None:
    told = [text for _, text in alerts(serving) if "was refused" in text]
    assert len(told) == 1
    assert "MEMORY.md" in told[0]
    assert f"prefect deployment run accept/joe -p snapshot={shrunk} -p reason=WHY" in told[0]
    assert len(list_rejected(serving.site)) == 2


def test_what_is_accepted_is_live_with_all_that_was_written_since(
    serving: Ground, shrunk: str
) -> None:
    later = serving.three.workspace("pc-a") / "memory/2026-11-25.md"
    later.write_text("# Written after the refusal\n")
    accept(shrunk, "I tidied up", site_file=serving.site_file)
    live = serving.three.workspace("pc-b")
    assert (live / "MEMORY.md").read_text() == "# Joe\n"
    assert (live / "memory/2026-11-25.md").read_text() == "# Written after the refusal\n"
    assert any("Accepted" in text and "I tidied up" in text for _, text in alerts(serving))
    assert run_state(memory_sync, serving.site_file).is_completed()


def test_an_id_that_nobody_rejected_is_refused_with_those_that_there_are(
    serving: Ground, shrunk: str
) -> None:
    with pytest.raises(Refused, match=rf"what can be accepted: {shrunk} \(memory on pc-b: "):
        accept("20260101T000000.000Z-00000000", "why not", site_file=serving.site_file)


def test_what_was_refused_under_an_earlier_record_is_not_taken(
    serving: Ground, shrunk: str
) -> None:
    serving.write_record(3, "pc-a")
    with pytest.raises(Refused, match="came from pc-a at epoch 1; now it is epoch 3 for pc-a"):
        accept(shrunk, "I tidied up", site_file=serving.site_file)


def test_it_is_not_taken_over_something_newer(serving: Ground, shrunk: str) -> None:
    (serving.three.workspace("pc-a") / "MEMORY.md").write_text(LONG + "More.\n")
    memory_sync(serving.site_file)
    with pytest.raises(Refused, match=f"was published after {shrunk} was refused"):
        accept(shrunk, "I tidied up", site_file=serving.site_file)
    told = [text for level, text in alerts(serving) if level == "ok"]
    assert "Memory of pc-a is taken over again" in told


def test_a_backup_that_is_refused_is_not_pulled_again_in_its_run(place: Ground) -> None:
    source = place.three.sources["oc-core"]
    for number in range(20):
        (source / f"{number}.txt").write_text("one\n")
    place.write_record(1, "pc-a")
    assert run_state(backup_primary_tier, place.site_file).is_completed()
    for file in source.rglob("*.txt"):
        file.write_text("another\n")
    assert "rewritten at once" in str(run_state(backup_primary_tier, place.site_file).message)
    assert len(list_rejected(place.site)) == 1


def test_a_backup_that_was_refused_is_accepted_too(place: Ground) -> None:
    source = place.three.sources["oc-core"]
    notes = source / "many-notes"
    notes.mkdir()
    for number in range(30):
        (notes / f"{number}.txt").write_text("a note\n")
    place.write_record(1, "pc-a")
    assert run_state(backup_primary_tier, place.site_file).is_completed()
    for file in notes.iterdir():
        file.unlink()
    assert run_state(backup_primary_tier, place.site_file).is_failed()
    (rejected,) = list_rejected(place.site)
    assert (rejected.store, rejected.node) == ("backup/oc-core", "pc-a")
    accept(rejected.snapshot, "the notes are gone on purpose", site_file=place.site_file)
    assert not any(
        (place.three.nodes["pc-a"].state / "stores/backup/oc-core/current/tree").rglob("*.txt")
    )
    assert run_state(backup_primary_tier, place.site_file).is_completed()
