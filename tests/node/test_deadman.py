"""No health check for long: the node itself tells a person, once, and once that they are back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from deployments.node.config import NodeConfig
from deployments.node.deadman import (
    ALARM,
    ALL_CLEAR,
    NOTHING,
    REMINDER_SECONDS,
    Deadman,
    checked_at,
    note_check,
)

from .terms_ground import SECONDS, terms

LIMIT = 600.0


def test_it_alarms_once_then_hourly_and_clears_once() -> None:
    deadman = Deadman(LIMIT)
    assert deadman.look(LIMIT - 1, 0.0) == NOTHING
    assert deadman.look(LIMIT, 0.0) == ALARM
    assert deadman.look(LIMIT + 1, 0.0) == NOTHING
    assert deadman.look(LIMIT + REMINDER_SECONDS, 0.0) == ALARM
    back = LIMIT + REMINDER_SECONDS + 5
    assert deadman.look(back, back - 1) == ALL_CLEAR
    assert deadman.look(back + 1, back - 1) == NOTHING
    assert deadman.look(back + LIMIT, back - 1) == ALARM


ODD = {"none": None, "torn": "{", "of another boot": '{"boot_id": "x", "at": 50.0}', "empty": "{}"}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_without_a_note_of_this_boot_the_silence_counts_from_the_boot(
    tmp_path: Path, text: str | None
) -> None:
    config = NodeConfig("pc-a", tmp_path, tmp_path / "state", tmp_path / "run")
    config.run.mkdir()
    if text is not None:
        (config.run / "checked.json").write_text(text)
    assert checked_at(config) == 0.0
    note_check(config, 7.5)
    assert checked_at(config) == 7.5


def test_a_guard_that_sees_no_check_tells_it_by_the_command_of_node_json(tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = ["/bin/sh", "-c", f"cat >>{told}; echo >>{told}"]
    with terms(alarm=command, check_silence_seconds=2.0) as ground:

        def lines() -> list[str]:
            return told.read_text().splitlines() if told.exists() else []

        wait_until(lambda: any("pc-a for" in line for line in lines()), SECONDS, "the alarm")
        pid = ground.guard_pid("pc-a")
        ground.joe("pc-a", "observe", check=True)
        wait_until(lambda: "Joe: health checks reach pc-a again." in lines(), SECONDS, "all clear")
        assert ground.guard_pid("pc-a") == pid
        first = [line for line in lines() if "reached pc-a" in line]
        assert len(first) == 1, "it is told once"
        assert "Look on T440: joe.pyz status" in first[0]
        assert ground.run("pc-a", "alarm", "by hand").returncode == 0
        assert lines()[-1] == "by hand"
        assert json.loads((ground.three.nodes["pc-a"].run / "checked.json").read_text())["at"] > 0
