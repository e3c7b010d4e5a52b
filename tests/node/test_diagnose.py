"""`diagnose`: what a machine says of itself, by real programs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from deployments.build_node import build
from deployments.node.diagnose import loose_keys, versions

from .loopback import Node


def program(folder: Path, text: str) -> str:
    file = folder / "openclaw"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_a_node_says_its_versions_room_and_time(tmp_path: Path) -> None:
    openclaw = program(tmp_path, "echo OpenClaw 2026.9.6 '(abc 1)'")
    node = Node(tmp_path, "pc-a", nodes=("pc-a", "pc-b"), openclaw=(openclaw,))
    (node.home / ".openclaw/openclaw.json").write_text("{agents: {},}")
    node.config.state.mkdir(parents=True, exist_ok=True)
    told = node.rpc("diagnose")
    assert told["exit"] == 0
    assert told["versions"]["openclaw"] == "2026.9.6"
    assert told["versions"]["rsync"]
    assert told["settings_error"] == ""
    assert 0 < told["disk"]["free"] < told["disk"]["size"]
    assert 0 < told["shell_seconds"] < 5
    assert abs(told["time"] - time.time()) < 10
    assert (told["linger"], told["units"], told["sleep"]) == (None, {}, [])


def test_joe_pyz_says_which_one_it_is(tmp_path: Path) -> None:
    pyz = build(tmp_path / "joe.pyz")
    node = Node(tmp_path, "t440")
    node.config.state.mkdir(parents=True, exist_ok=True)
    _, environment = node.command("")
    done = subprocess.run(
        (str(pyz), "diagnose"), input="{}", env=environment, text=True, capture_output=True
    )
    assert json.loads(done.stdout)["program"] == hashlib.sha256(pyz.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{agents: [", "openclaw.json"), (None, "is missing")],
    ids=["half a file", "no file"],
)
def test_settings_that_cannot_be_read_are_said(
    tmp_path: Path, text: str | None, words: str
) -> None:
    node = Node(tmp_path, "pc-a", nodes=("pc-a", "pc-b"), openclaw=(program(tmp_path, "true"),))
    if text is not None:
        (node.home / ".openclaw/openclaw.json").write_text(text)
    node.config.state.mkdir(parents=True, exist_ok=True)
    assert words in node.call("diagnose")["settings_error"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("echo 1.2.3", "1.2.3"),
        ("echo no version here", None),
        ("echo 2026.9.6; exit 3", "2026.9.6"),
        ("echo v24.1.0 >&2", "24.1.0"),
    ],
)
def test_a_version_is_the_first_number_with_points(
    tmp_path: Path, text: str, found: str | None
) -> None:
    node = Node(tmp_path, "pc-a", nodes=("pc-a", "pc-b"), openclaw=(program(tmp_path, text),))
    assert versions(node.config)["openclaw"] == found


def test_a_heavy_bashrc_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".bashrc").write_text("sleep 0.2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    node = Node(tmp_path, "t440")
    node.config.state.mkdir(parents=True, exist_ok=True)
    assert node.call("diagnose")["shell_seconds"] > 0.2


def test_only_our_lines_without_restrict_are_loose(tmp_path: Path) -> None:
    keys = tmp_path / "authorized_keys"
    lines = [
        "ssh-ed25519 AAAA me@laptop",
        'restrict,command="/usr/bin/python3 -IS joe.pyz rpc" ssh-ed25519 AAAA dual-joe:joe:a@t440',
        'command="/usr/bin/python3 -IS joe.pyz rpc" ssh-ed25519 AAAA dual-joe:joe:b@t440',
        "ssh-ed25519 AAAA dual-joe:joe:c@pc-b",
        "# ssh-ed25519 AAAA dual-joe:joe:d@pc-b",
    ]
    keys.write_text("\n".join(lines))
    assert loose_keys(keys) == ["dual-joe:joe:b@t440", "dual-joe:joe:c@pc-b"]
    assert loose_keys(tmp_path / "none") == []
