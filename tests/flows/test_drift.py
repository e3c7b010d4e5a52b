"""The holder's openclaw.json is part of its snapshots; where the nodes differ, a person hears."""

from __future__ import annotations

import json
from pathlib import Path

from flows.memory_sync import memory_sync
from tests.flows.runs import alerts, run_state
from tests.site_machines import Ground


def settings_of(place: Ground, node: str) -> Path:
    return place.three.nodes[node].home / ".openclaw/openclaw.json"


def change_token(place: Ground, node: str, token: str) -> None:
    document = json.loads(settings_of(place, node).read_text())
    document["channels"]["telegram"]["botToken"] = token
    settings_of(place, node).write_text(json.dumps(document))


def test_nodes_as_they_are_set_up_do_not_differ(serving: Ground) -> None:
    assert run_state(memory_sync, serving.site_file).is_completed()
    assert not [text for _, text in alerts(serving) if "Settings" in text]


def test_another_token_is_told_once_and_never_shown(serving: Ground) -> None:
    before = settings_of(serving, "pc-b").read_text()
    change_token(serving, "pc-b", "654321:another-bots-token")
    for _ in range(2):
        memory_sync(serving.site_file)
    told = [text for _, text in alerts(serving) if "Settings" in text]
    where = "channels.telegram.botToken: not the same on pc-a and pc-b"
    assert told == [f"Settings of pc-a and pc-b differ: {where}"]
    settings_of(serving, "pc-b").write_text(before)
    memory_sync(serving.site_file)
    assert [text for level, text in alerts(serving) if level == "ok" and "Settings" in text] == [
        "Settings of pc-a and pc-b are the same again"
    ]


def test_the_holders_settings_are_in_its_snapshot_for_their_owner_alone(serving: Ground) -> None:
    serving.fault("pc-a", "crash-at-start")  # nothing but this test writes
    serving.call("pc-a", "gateway kill")
    current = serving.three.nodes["pc-b"].state / "stores/memory/current"
    memory_sync(serving.site_file)
    first, kept = current.resolve(), current / "openclaw.json"
    assert kept.read_bytes() == settings_of(serving, "pc-a").read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600
    memory_sync(serving.site_file)
    assert current.resolve() == first, "nothing has changed"
    standby = settings_of(serving, "pc-b").read_bytes()
    change_token(serving, "pc-a", "1:changed")
    memory_sync(serving.site_file)
    assert current.resolve() != first
    assert "1:changed" in kept.read_text()
    assert settings_of(serving, "pc-b").read_bytes() == standby, "never applied"
