"""The containers' databases: what a torn copy is, and that the check sees it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from deployments.demo.containers import (
    CONTAINERS,
    DATABASE,
    count_pairs,
    insert_pair,
    make_containers,
    writer_argv,
)
from deployments.demo.processes import wait_until

from .conftest import SECONDS


def test_the_writer_fills_all_four_databases_while_they_are_read(tmp_path: Path) -> None:
    sources = make_containers(tmp_path)
    assert tuple(sources) == CONTAINERS
    with subprocess.Popen(writer_argv(sources, seconds=0.01)) as writer:
        for folder in sources.values():
            wait_until(lambda f=folder: count_pairs(f / DATABASE) >= 3, SECONDS, f"{folder} fills")  # type: ignore[misc]
            assert (folder / f"{DATABASE}-wal").exists()
        writer.send_signal(signal.SIGTERM)
        assert writer.wait(timeout=SECONDS) == 0


def test_a_copy_by_the_backup_api_is_consistent(tmp_path: Path) -> None:
    live, copy = make_containers(tmp_path)["oc-core"] / DATABASE, tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(live, isolation_level=None)) as database:
        last = [insert_pair(database) for _ in range(3)][-1]
        with closing(sqlite3.connect(copy)) as target:
            database.backup(target)
    assert count_pairs(copy) == last == 3


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("DELETE FROM booking WHERE pair = 2 AND side = 'debit'", id="half a pair"),
        pytest.param("DELETE FROM booking WHERE pair = 2", id="a pair missing in between"),
        pytest.param("UPDATE booking SET amount = 1 WHERE side = 'debit'", id="sums that differ"),
    ],
)
def test_a_torn_database_is_told(tmp_path: Path, damage: str) -> None:
    file = make_containers(tmp_path)["oc-core"] / DATABASE
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for _ in range(3):
            insert_pair(database)
        database.execute(damage)
    with pytest.raises(ValueError, match="torn pairs"):
        count_pairs(file)


def test_a_file_that_is_cut_short_is_told(tmp_path: Path) -> None:
    file = make_containers(tmp_path)["oc-core"] / DATABASE
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for _ in range(30):
            insert_pair(database)
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(file.read_bytes()[:-8192])
    with pytest.raises((ValueError, sqlite3.DatabaseError)):
        count_pairs(cut)
