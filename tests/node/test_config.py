"""node.json: what it need not say."""

from __future__ import annotations

from pathlib import Path

from deployments.node.config import parse_config

OWN = {"name": "pc-a", "home": "~", "state": "~/.dualjoe", "run": "/run/user/1000/dualjoe"}


def test_without_a_word_openclaw_is_in_the_users_home() -> None:
    """`~` itself as a folder's name shows no memory at all."""
    assert parse_config(dict(OWN), "node.json").openclaw_home == Path.home() / ".openclaw"


def test_a_path_may_begin_with_a_tilde() -> None:
    config = parse_config({**OWN, "openclaw_home": "~/elsewhere"}, "node.json")
    assert (config.state, config.openclaw_home) == (
        Path.home() / ".dualjoe",
        Path.home() / "elsewhere",
    )
