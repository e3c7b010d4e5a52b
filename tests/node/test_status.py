"""`joe.pyz status` says since when a machine knows who holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployments.node.config import NodeConfig
from deployments.node.record import Record, adopt, record_file
from deployments.node.status import show


def test_it_says_since_when_this_machine_knows_the_holder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = NodeConfig("t440", tmp_path, tmp_path, tmp_path / "run", supervisor="none")
    show(config)
    assert "holder                     nobody\n" in capsys.readouterr().out
    adopt(config, Record(2, "pc-b"))
    os.utime(record_file(config), (1_800_000_000, 1_800_000_000))
    show(config)
    told = "holder                     pc-b, epoch 2, known here since 2027-01-15 08:00:00 UTC\n"
    assert told in capsys.readouterr().out
