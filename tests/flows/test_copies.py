"""Memory syncs and backups on three machines."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from deployments.demo.containers import count_pairs, writer_argv
from deployments.demo.openclaw.install import AGENTS
from flows.backup import backup_dr_tier, backup_primary_tier
from flows.drill import drill
from flows.memory_sync import memory_sync
from tests.flows.runs import alerts, last_name, run_late, run_state, versions
from tests.site_machines import Ground


def snapshots(place: Ground, node: str, store: str) -> list[Path]:
    folder = place.three.nodes[node].state / "stores" / store / "snaps"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_sync_puts_the_holders_memory_into_the_stopped_standby(serving: Ground) -> None:
    serving.fault("pc-a", "crash-at-start")  # its guard tries in vain: nothing is written now
    serving.call("pc-a", "gateway kill")
    memory_sync(serving.site_file)
    for agent in AGENTS:
        ours, theirs = (serving.three.workspace(name, agent) for name in ("pc-a", "pc-b"))
        files = [path.relative_to(ours) for path in ours.rglob("*.md")]
        assert files
        for file in files:
            assert (theirs / file).read_bytes() == (ours / file).read_bytes()
            assert (theirs / file).stat().st_nlink == 1, "a copy, never a hard link"
    assert last_name(memory_sync).startswith("pc-a to pc-b: ")


def test_an_emptied_source_is_refused_and_the_standby_keeps_its_memory(serving: Ground) -> None:
    serving.fault("pc-a", "crash-at-start")
    serving.call("pc-a", "gateway kill")
    before = snapshots(serving, "pc-b", "memory")
    for agent in AGENTS:
        shutil.rmtree(serving.three.workspace("pc-a", agent))
    state = run_state(memory_sync, serving.site_file)
    assert state.is_failed()
    assert "no memory at all" in str(state.message)
    assert snapshots(serving, "pc-b", "memory") == before
    assert (serving.three.workspace("pc-b") / "SOUL.md").exists()


def test_an_agent_whose_workspace_matches_nothing_is_told_once_and_the_others_are_carried(
    serving: Ground,
) -> None:
    file = serving.three.nodes["pc-a"].home / ".openclaw/openclaw.json"
    document = json.loads(file.read_text())
    document["agents"]["entries"]["shy"] = {"workspace": "~/.openclaw/workspace-shy"}
    file.write_text(json.dumps(document))
    before = len(snapshots(serving, "pc-b", "memory"))
    serving.three.workspace("pc-a").joinpath("memory/2026-11-29.md").write_text("# New\n")
    states = [run_state(memory_sync, serving.site_file) for _ in range(2)]
    assert [state.name for state in states] == ["Failed", "Degraded"]
    assert "workspace-shy" in str(states[1].message)
    assert len(snapshots(serving, "pc-b", "memory")) > before, "the others are carried"
    told = [text for _, text in alerts(serving) if "shy" in text and "is not complete" in text]
    assert len(told) == 1
    assert "workspace-shy is memory: is that its workspace?" in told[0]


def test_a_sync_to_a_node_that_is_away_is_skipped_with_the_reason(serving: Ground) -> None:
    serving.three.nodes["pc-b"].power_cut()
    state = run_state(memory_sync, serving.site_file)
    assert (state.name, last_name(memory_sync)) == ("Skipped", "Skipped: pc-b is unreachable")


def test_what_only_the_standby_has_is_kept_and_reported(serving: Ground) -> None:
    own = serving.three.workspace("pc-b") / "memory" / "2026-11-20-only-here.md"
    own.write_text("# Only on pc-b\n")
    memory_sync(serving.site_file)
    assert own.read_text() == "# Only on pc-b\n"
    memory_sync(serving.site_file)
    told = [text for level, text in alerts(serving) if "2026-11-20-only-here.md" in text]
    assert len(told) == 1, "once, however often it is seen"
    assert "2026-11-20-only-here.md: only pc-b has it, kept" in told[0]


def test_a_conflict_is_told_once_and_its_copy_is_no_news(serving: Ground) -> None:
    serving.fault("pc-a", "crash-at-start")
    serving.call("pc-a", "gateway kill")
    memory_sync(serving.site_file)
    for name in ("pc-a", "pc-b"):
        (serving.three.workspace(name) / "memory/people.json").write_text(f'{{"at": "{name}"}}\n')
    for _ in range(3):
        memory_sync(serving.site_file)
    told = [text for level, text in alerts(serving) if "people" in text]
    assert len(told) == 1
    assert "people.json: changed on both; pc-a's is live, pc-b's is kept as" in told[0]


def test_the_first_backup_looks_at_everything_and_the_next_ones_at_what_changed(
    place: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    source = place.three.sources["oc-core"]
    for step in ("first", "second", "third"):
        if step == "second":
            (source / "new.txt").write_text("new\n")
        assert run_state(backup_primary_tier, place.site_file).is_completed()
    lines = [one.getMessage() for one in caplog.records if " looked at" in one.getMessage()]
    lines += [one.getMessage() for one in caplog.records if "nothing to pull" in one.getMessage()]
    told = [line for line in lines if line.startswith("oc-core: ")]
    assert len(told) == 3
    assert told[0].endswith("came, everything looked at")
    assert told[1] == "oc-core: 2 files, links and folders came, 3 paths that changed looked at"
    assert told[2].endswith("files as they were, nothing to pull")


def test_the_two_tiers_and_a_restore_by_cp(place: Ground, tmp_path: Path) -> None:
    """T440 to pc-a, pc-a to pc-b; a database that is written to all the time restores whole."""
    t440 = place.three.t440
    t440.spawn(writer_argv(place.three.sources, 0.01), {}, t440.log / "containers.log")
    assert run_state(backup_primary_tier, place.site_file).is_completed()
    assert last_name(backup_primary_tier) == "T440 to pc-a: 5 of 5 sources"
    assert run_state(backup_dr_tier, place.site_file).is_completed()
    assert last_name(backup_dr_tier) == "pc-a to pc-b: 5 of 5 sources"
    for container in place.site.containers:
        newest = snapshots(place, "pc-b", f"backup/{container}")[-1]
        restored = tmp_path / container
        subprocess.run(("cp", "-a", f"{newest}/tree", restored), check=True)
        databases = list(restored.rglob("*.sqlite"))
        assert databases, "the live database travelled"
        for database in databases:
            with sqlite3.connect(database) as opened:
                assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
            opened.close()
            assert count_pairs(database) >= 0
        texts = [
            p for p in place.three.sources[container].rglob("*") if p.suffix in (".md", ".txt")
        ]
        assert texts
        for text in texts:
            copy = restored / text.relative_to(place.three.sources[container])
            assert copy.read_bytes() == text.read_bytes()
    own = snapshots(place, "pc-b", "backup/t440")[-1] / "tree"
    assert (own / "site.yaml").read_text() == place.site_file.read_text()
    assert json.loads((own / "record.json").read_text()) == {"epoch": 1, "holder": "pc-a"}
    assert (own / "node.json").is_file()


# As an earlier version: a verb that it does not know is refused, such a parameter is not seen.
EARLIER = """\
import json, os, subprocess, sys
asked = os.environ.get("SSH_ORIGINAL_COMMAND", "")
if asked == "peer connect":
    print(json.dumps({"error": "bad-input", "message": "unknown verb"}))
    raise SystemExit(2)
data = sys.stdin.buffer.read()
if asked == "store pull":
    params = json.loads(data)
    params.pop("publish", None)
    data = json.dumps(params).encode()
argv = (sys.executable, "-IS", __file__ + ".now", *sys.argv[1:])
raise SystemExit(subprocess.run(argv, input=data).returncode)
"""


def test_a_receiver_of_an_earlier_version_backs_up_all_the_same(place: Ground) -> None:
    joe = place.three.joe("pc-a")
    joe.rename(f"{joe}.now")
    joe.write_text(EARLIER)
    for _ in range(2):
        assert run_state(backup_primary_tier, place.site_file).is_completed()
    assert len(snapshots(place, "pc-a", "backup/oc-core")) == 1


def test_a_second_backup_is_hard_linked_to_the_first(place: Ground) -> None:
    run_state(backup_primary_tier, place.site_file)
    source = place.three.sources["oc-core"]
    (source / "new.txt").write_text("new\n")
    run_state(backup_primary_tier, place.site_file)
    first, second = snapshots(place, "pc-a", "backup/oc-core")
    same = [p for p in (first / "tree").rglob("*") if p.suffix in (".md", ".txt")]
    assert same
    for file in same:
        twin = second / "tree" / file.relative_to(first / "tree")
        assert twin.stat().st_ino == file.stat().st_ino
    assert (second / "tree" / "new.txt").exists()
    assert not (first / "tree" / "new.txt").exists()


def test_when_the_primary_tier_is_away_the_backup_goes_to_the_dr_tier(place: Ground) -> None:
    place.three.nodes["pc-a"].power_cut()
    assert run_state(backup_primary_tier, place.site_file).is_completed()
    assert last_name(backup_primary_tier).startswith("T440 to pc-b: 5 of 5 sources (pc-a: ")
    assert snapshots(place, "pc-b", "backup/oc-core")
    assert run_state(backup_dr_tier, place.site_file).name == "Skipped"


def test_an_older_backup_of_the_primary_tier_is_not_put_over_a_newer_one_of_the_dr_tier(
    place: Ground,
) -> None:
    """pc-a was away while T440 backed up to pc-b directly; back, it has the older copy."""
    run_state(backup_primary_tier, place.site_file)
    place.three.nodes["pc-a"].power_cut()
    (place.three.sources["oc-core"] / "newer.txt").write_text("newer\n")
    run_state(backup_primary_tier, place.site_file)
    place.three.nodes["pc-a"].power_on()
    assert run_state(backup_dr_tier, place.site_file).is_completed()
    newest = place.three.nodes["pc-b"].state / "stores/backup/oc-core/current/tree"
    assert (newest / "newer.txt").exists()
    run_state(backup_primary_tier, place.site_file)
    assert run_state(backup_dr_tier, place.site_file).is_completed()


def test_one_container_that_fails_does_not_keep_the_others_from_it(place: Ground) -> None:
    shutil.rmtree(place.three.sources["oc-work"])
    state = run_state(backup_primary_tier, place.site_file)
    assert state.is_failed()
    assert "oc-work" in str(state.message)
    assert last_name(backup_primary_tier) == "T440 to pc-a: 4 of 5 sources"
    assert snapshots(place, "pc-a", "backup/oc-learning")


def test_a_rehearsed_restore_on_the_dr_tier_finds_rot_and_tells_it_once(place: Ground) -> None:
    for flow in (backup_primary_tier, backup_dr_tier):
        assert run_state(flow, place.site_file).is_completed()
    assert run_state(drill, place.site_file).is_completed()
    assert last_name(drill) == "pc-b: 5 of 5 restored"
    assert "| good, " in versions("joe-backups")[0]
    tree = place.three.nodes["pc-b"].state / "stores/backup/oc-core/current/tree"
    file = next(path for path in sorted(tree.rglob("*")) if path.is_file())
    rotten = bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]
    file.chmod(0o600)
    file.write_bytes(rotten)
    for _ in range(2):
        assert run_state(drill, place.site_file).is_failed()
    told = [text for _, text in alerts(place) if "rehearsed" in text]
    assert len(told) == 1
    assert f"oc-core: {file.relative_to(tree)}: not as in the manifest" in told[0]


def test_after_a_gap_one_catch_up_runs_and_the_older_ones_are_skipped(place: Ground) -> None:
    assert run_late(backup_primary_tier, place.site_file, 7300, 3700, 100).name == "Skipped"
    assert run_late(backup_primary_tier, place.site_file, 100, -3500).name == "Completed"
