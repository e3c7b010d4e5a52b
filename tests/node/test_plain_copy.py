"""A file that is written while it is copied is copied again, now or at the next run."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from deployments.node.plain_copy import copy_plain
from deployments.node.sqlite_copy import copy_database, plain_state

LONGEST_TICK_NS = 10**7


def test_what_was_just_written_is_read_after_its_tick(tmp_path: Path) -> None:
    """A second write within the tick of the first leaves size and times as they are: whoever reads
    before the end of that tick may lack it for ever."""
    source, target = tmp_path / "source", tmp_path / "target"
    for number in range(20):
        source.write_text(f"{number:03}")
        state = copy_plain(source, target)
        assert state == plain_state(source.lstat())
        assert time.time_ns() - state[-1] >= LONGEST_TICK_NS
        target.unlink()


def test_a_database_that_was_just_written_as_well(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with closing(sqlite3.connect(source)) as database:
        database.execute("CREATE TABLE t(x)")
        for number in range(20):
            database.execute("INSERT INTO t VALUES (?)", (number,))
            database.commit()
            written = source.lstat().st_ctime_ns
            assert copy_database(source, target) == ""
            assert time.time_ns() - written >= LONGEST_TICK_NS
            target.unlink()


def test_an_old_file_is_copied_at_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("old")
    time.sleep(0.05)  # older than any tick
    began = time.monotonic()
    for number in range(100):
        copy_plain(source, tmp_path / str(number))
    assert time.monotonic() - began < 1.0
