"""The four containers on T440: text and a live SQLite database each. Stdlib, Python >= 3.9.

A writer inserts pairs of rows in one transaction: +amount and -amount. A copy is consistent when
every pair is whole, so a torn copy shows.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from .launch import module_argv

CONTAINERS = ("oc-core", "oc-work", "oc-personal", "oc-learning")
DATABASE = "data.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS booking (
    pair INTEGER NOT NULL, side TEXT NOT NULL, amount INTEGER NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (pair, side)
)"""


def make_containers(folder: Path) -> dict[str, Path]:
    """Create the four containers below `folder`; name -> folder, as node.json's `sources`."""
    made = {name: folder / name for name in CONTAINERS}
    for name, container in made.items():
        (container / "notes").mkdir(parents=True, exist_ok=True)
        (container / "README.md").write_text(f"# {name}\n\nA container of the demo.\n")
        (container / "config.yaml").write_text(f"name: {name}\nlanguage: en\n")
        for number in range(1, 6):
            text = f"# Note {number} of {name}\n\n" + f"Line about {name}.\n" * 20 * number
            (container / "notes" / f"note-{number}.md").write_text(text)
        with closing(_connect(container / DATABASE)) as database, database:
            database.execute(SCHEMA)
    return made


def writer_argv(sources: Mapping[str, Path], seconds: float = 0.2) -> tuple[str, ...]:
    """argv of the process that keeps inserting pairs into all databases, for Machine.spawn."""
    folders = (str(folder) for folder in sources.values())
    return module_argv("deployments.demo.containers", str(seconds), *folders)


def insert_pair(database: sqlite3.Connection) -> int:
    """Insert one whole pair in one transaction and return its number."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        last = database.execute("SELECT COALESCE(MAX(pair), 0) FROM booking").fetchone()[0]
        pair, note = int(last) + 1, "x" * 400  # some pages, so that the WAL moves
        rows = [(pair, "debit", pair * 7, note), (pair, "credit", -pair * 7, note)]
        database.executemany("INSERT INTO booking VALUES (?, ?, ?, ?)", rows)
    return pair


def count_pairs(file: Path) -> int:
    """The number of whole pairs in a database or a copy of one.

    Raises ValueError when SQLite finds it damaged, a pair is torn or one is missing in between.
    """
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        verdict = database.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise ValueError(f"{file}: {verdict}")
        torn = database.execute(
            "SELECT pair FROM booking GROUP BY pair HAVING COUNT(*) != 2 OR SUM(amount) != 0"
        ).fetchall()
        pairs, last = database.execute(
            "SELECT COUNT(DISTINCT pair), COALESCE(MAX(pair), 0) FROM booking"
        ).fetchone()
    if torn or pairs != last:
        raise ValueError(f"{file}: torn pairs {torn}, {pairs} pairs of {last}")
    return int(pairs)


def _connect(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=10.0, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    return database


def main(argv: Sequence[str]) -> int:
    """[seconds, folder...]: insert a pair into each database every `seconds` until SIGTERM."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    databases = [_connect(Path(folder) / DATABASE) for folder in argv[1:]]
    while not ending.wait(float(argv[0])):
        for database in databases:
            insert_pair(database)
    for database in databases:
        database.close()
    return 0
