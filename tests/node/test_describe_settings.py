"""openclaw.json as two machines compare it: what is told, what is hidden, what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.node.config import NodeConfig
from deployments.node.errors import BadInput, Failed
from deployments.node.settings import describe, settings_describe

NONCE = "0123456789abcdef"
TOKEN = "123456:AAH-not-a-token-of-anybody-000000"  # noqa: S105 - of nobody


def told(home: Path, document: dict[str, Any] | str, nonce: str = NONCE) -> dict[str, str]:
    """What a machine with this home and openclaw.json says."""
    folder = home / ".openclaw"
    folder.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "openclaw.json").write_text(text)
    config = NodeConfig("pc-a", home, home / "s", home / "r", openclaw_home=folder)
    entries: dict[str, str] = settings_describe(config, {"nonce": nonce})["entries"]
    return entries


def test_a_machine_s_own_is_left_out_and_its_home_is_a_tilde(tmp_path: Path) -> None:
    def document(home: Path, port: int) -> dict[str, Any]:
        return {
            "gateway": {"port": port, "bind": "loopback"},
            "agents": {"list": [{"id": "main", "workspace": f"{home}/.openclaw/work"}]},
            "meta": {"lastTouchedVersion": "2026.9.6", "lastTouchedAt": f"{port}"},
            "wizard": {"lastRunAt": f"{port}"},
        }

    one, other = (tmp_path / name for name in ("one", "other"))
    entries = told(one, document(one, 1))
    assert entries == told(other, document(other, 2))
    assert entries == {
        "gateway.bind": "loopback",
        "agents.list[main].id": "main",
        "agents.list[main].workspace": "~/.openclaw/work",
        "meta.lastTouchedVersion": "2026.9.6",
    }


def test_a_secret_can_be_compared_under_one_nonce_and_under_no_other(tmp_path: Path) -> None:
    document = {"channels": {"telegram": {"botToken": TOKEN, "enabled": True}}}
    entries = told(tmp_path / "a", document)
    assert TOKEN not in json.dumps(entries)
    assert entries == told(tmp_path / "b", document)
    path = "channels.telegram.botToken"
    assert entries[path] != told(tmp_path / "a", document, NONCE[::-1])[path]
    assert entries["channels.telegram.enabled"] == "true"


@pytest.mark.parametrize(
    ("path", "value", "is_hidden"),
    [
        ("model", "claude-sonnet", False),
        ("gateway.bind", "loopback", False),
        ("agents.timezone", "Europe/Berlin", False),
        ("gateway.auth.token", "short", True),
        ("env.OPENAI_API_KEY", "x", True),
        ("plugins.x.url", "https://example.org/hook/Zm9vYmFyMTIzNDU2Nzg5MA", True),
        ("skills.notes", "sk-ant-api03-0123456789abcdef", True),
        ("skills.notes", "one\ntwo", True),
        ("agents.prompt", "a" * 200, True),
    ],
)
def test_what_could_be_a_secret_is_hidden(path: str, value: str, is_hidden: bool) -> None:
    word = describe(path, value, NONCE, "/home/joe")
    assert word.startswith("secret ") is is_hidden
    assert is_hidden is (value not in word)


@given(
    st.sampled_from(["botToken", "apiKey", "password", "clientSecret", "a.webhookUrl"]),
    st.text(min_size=20),
)
def test_a_value_of_such_a_name_is_never_told(name: str, value: str) -> None:
    assert value not in describe(name, value, NONCE, "/home/joe")


def test_a_machine_without_settings_has_none(tmp_path: Path) -> None:
    config = NodeConfig("pc-a", tmp_path, tmp_path, tmp_path, openclaw_home=tmp_path / "no")
    assert settings_describe(config, {"nonce": NONCE}) == {"entries": {}}


def test_what_cannot_be_read_is_said_and_a_nonce_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="is not JSON5"):
        told(tmp_path, "{a: ")
    with pytest.raises(BadInput, match="nonce"):
        told(tmp_path, {}, "short")
