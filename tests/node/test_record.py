"""The record on a disk: epochs only grow, and a torn file is no record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.node.config import NodeConfig
from deployments.node.errors import BadInput, Failed, Refused
from deployments.node.record import (
    Record,
    adopt,
    load_record,
    record_file,
    record_read,
    record_write,
)


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return NodeConfig("pc-a", tmp_path, tmp_path / "state", tmp_path / "run")


def test_there_is_no_record_at_first(config: NodeConfig) -> None:
    assert record_read(config, {}) == {"record": None, "since": None}


def test_a_higher_epoch_is_adopted_and_told_again_changes_nothing(config: NodeConfig) -> None:
    assert adopt(config, Record(1, "pc-a"))
    assert adopt(config, Record(2, "pc-b"))
    assert not adopt(config, Record(2, "pc-b"))
    assert load_record(config) == Record(2, "pc-b")


def test_a_record_has_the_time_at_which_this_machine_took_it_over(config: NodeConfig) -> None:
    adopt(config, Record(1, "pc-a"))
    os.utime(record_file(config), (1_800_000_000, 1_800_000_000))
    adopt(config, Record(1, "pc-a"))
    assert record_read(config, {})["since"] == 1_800_000_000
    adopt(config, Record(2, "pc-b"))
    assert record_read(config, {})["since"] != 1_800_000_000


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(Record(2, "pc-b"), id="a lower epoch"),
        pytest.param(Record(3, "pc-b"), id="the same epoch for another holder"),
    ],
)
def test_what_is_not_newer_is_refused(config: NodeConfig, new: Record) -> None:
    adopt(config, Record(3, "pc-a"))
    with pytest.raises(Refused, match="the record here is epoch 3 for pc-a"):
        adopt(config, new)
    assert load_record(config) == Record(3, "pc-a")


def test_a_write_for_a_record_that_changed_meanwhile_is_refused(config: NodeConfig) -> None:
    adopt(config, Record(2, "pc-b"))
    order = {"epoch": 3, "holder": "pc-a", "expect": {"epoch": 1, "holder": "pc-a"}}
    with pytest.raises(Refused, match="not epoch 1 for pc-a"):
        record_write(config, order)
    order["expect"] = {"epoch": 2, "holder": "pc-b"}
    assert record_write(config, order)["changed"] is True


TORN = {"empty": "", "half": '{"epoch": 1, "hol', "another shape": "[1]", "zero": '{"epoch": 0}'}


@pytest.mark.parametrize("text", TORN.values(), ids=TORN.keys())
def test_a_torn_record_is_no_record_and_a_new_one_replaces_it(
    config: NodeConfig, text: str
) -> None:
    record_file(config).parent.mkdir()
    record_file(config).write_text(text)
    with pytest.raises(Failed, match="cannot be used"):
        load_record(config)
    assert adopt(config, Record(4, "pc-b"))
    assert load_record(config) == Record(4, "pc-b")


BAD = {
    "no holder": {"epoch": 1},
    "a negative epoch": {"epoch": -1, "holder": "pc-a"},
    "true for an epoch": {"epoch": True, "holder": "pc-a"},
    "an empty holder": {"epoch": 1, "holder": ""},
    "one field too many": {"epoch": 1, "holder": "pc-a", "force": True},
}


@pytest.mark.parametrize("order", BAD.values(), ids=BAD.keys())
def test_a_malformed_order_is_refused_and_nothing_is_written(
    config: NodeConfig, order: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        record_write(config, order)
    assert not record_file(config).exists()


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["pc-a", "pc-b"])), max_size=12))
def test_epochs_only_grow_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("record")
    config = NodeConfig("pc-a", folder, folder / "state", folder / "run")
    last = 0
    for epoch, holder in orders:
        with contextlib.suppress(Refused):
            adopt(config, Record(epoch, holder))
        record = load_record(config)
        assert record is not None
        assert record.epoch >= last
        last = record.epoch


def test_killed_at_any_moment_the_record_is_the_old_one_or_the_new_one(
    config: NodeConfig,
) -> None:
    """A writer that never stops is killed 20 times; what is left is always whole."""
    code = (
        "import itertools, sys; from pathlib import Path\n"
        "from deployments.node.config import NodeConfig\n"
        "from deployments.node.record import Record, adopt, load_record\n"
        "home = Path(sys.argv[1])\n"
        "config = NodeConfig('pc-a', home, home / 'state', home / 'run')\n"
        "first = (load_record(config) or Record(0, '')).epoch + 1\n"
        "for epoch in itertools.count(first):\n"
        "    adopt(config, Record(epoch, 'pc-' + 'ab'[epoch % 2])); print(epoch, flush=True)\n"
    )
    last = 0
    for _ in range(20):
        writer = subprocess.Popen(
            (sys.executable, "-c", code, str(config.home)), stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout
        acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait()
        acknowledged = max([acknowledged, *map(int, rest)])
        record = load_record(config)
        assert record is not None
        assert record.epoch >= acknowledged > last, "what was acknowledged is on the disk"
        assert record.holder == "pc-" + "ab"[record.epoch % 2]
        last = record.epoch
    assert json.loads(record_file(config).read_text())["epoch"] == last
