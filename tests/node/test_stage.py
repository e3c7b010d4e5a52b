"""Containers: staged consistently on T440, pulled by one tier, checked and pulled by the next."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from deployments.node.errors import Refused
from deployments.node.manifest import read_manifest, verify

from .loopback import Node, Sshd, back_up, read_tree

STORE = "backup/oc-core"
COPIES = 50


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A container's folder: text, strange names, a link, an empty folder, a live database."""
    folder = tmp_path / "oc-core"
    (folder / "sub dir").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.txt").write_text("hello")
    (folder / "sub dir/-x\n'q\".txt").write_text("y" * 100)
    (folder / "link").symlink_to("/nowhere")
    (folder / "mode").write_text("x")
    (folder / "mode").chmod(0o640)
    os.mkfifo(folder / "fifo")
    with closing(sqlite3.connect(folder / "live.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t(x)")
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()
    return folder


@pytest.fixture
def t440(source: Path, tmp_path: Path) -> Node:
    return Node(tmp_path, "t440", sources={"oc-core": str(source)})


def staged(node: Node) -> Path:
    return node.config.state / "stage/oc-core/current"


def rows(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(opened.execute("SELECT count(*) FROM t").fetchone()[0])


def test_a_staged_copy_holds_everything_but_special_files(t440: Node, source: Path) -> None:
    result = t440.call("store stage", source="oc-core")
    tree = staged(t440) / "tree"
    assert {str(f.relative_to(tree)) for f in tree.rglob("*")} == {
        "a.txt",
        "empty",
        "link",
        "live.db",
        "mode",
        "sub dir",
        "sub dir/-x\n'q\".txt",
    }
    assert (result["databases"], result["skipped"], result["bad"]) == (1, ["fifo"], {})
    assert (tree / "mode").stat().st_mode == (source / "mode").stat().st_mode
    assert (tree / "a.txt").stat().st_mtime_ns == (source / "a.txt").stat().st_mtime_ns
    assert not verify(staged(t440))


def test_an_unchanged_file_is_not_copied_again(t440: Node, source: Path) -> None:
    t440.call("store stage", source="oc-core")
    first = staged(t440).resolve()
    (source / "mode").write_text("changed")
    assert t440.call("store stage", source="oc-core")["changed"] == 1
    assert (first / "tree/a.txt").samefile(staged(t440) / "tree/a.txt")
    assert (first / "tree/mode").read_text() == "x"  # a reader of the last copy still has it


def test_an_unchanged_source_is_not_copied_at_all(t440: Node, source: Path) -> None:
    t440.call("store stage", source="oc-core")
    first = staged(t440).resolve()
    result = t440.call("store stage", source="oc-core")
    assert (staged(t440).resolve(), result["changed"], result["files"]) == (first, 0, 5)
    assert result["skipped"] == ["fifo"]
    (source / "empty/new").mkdir()
    t440.call("store stage", source="oc-core")
    assert (staged(t440) / "tree/empty/new").is_dir()


def of_an_earlier_version(copy: Path) -> None:
    memo = json.loads((copy / "memo.json").read_text())
    del memo["unsure"]
    (copy / "memo.json").write_text(json.dumps(memo))


RUINED: dict[str, Callable[[Path], object]] = {
    "its manifest is ruined": lambda copy: (copy / "manifest.json").write_text("{"),
    "its memo is ruined": lambda copy: (copy / "memo.json").write_text("{"),
    "its look is gone": lambda copy: (copy / "look").unlink(),
    "its look is cut off": lambda copy: os.truncate(copy / "look", 150),
    "it is of an earlier version": of_an_earlier_version,
}


@pytest.mark.parametrize("ruin", RUINED.values(), ids=RUINED)
def test_a_copy_is_made_anew_when(t440: Node, source: Path, ruin: Callable[[Path], object]) -> None:
    t440.call("store stage", source="oc-core")
    ruin(staged(t440))
    (source / "a.txt").unlink()
    t440.call("store stage", source="oc-core")
    assert not (staged(t440) / "tree/a.txt").exists()
    assert (staged(t440) / "tree/mode").read_text() == "x"
    assert not verify(staged(t440))


def test_a_missing_or_empty_source_is_refused(t440: Node, source: Path) -> None:
    t440.call("store stage", source="oc-core")
    good = read_tree(staged(t440))
    subprocess.run(("rm", "-rf", str(source)), check=True)
    for _ in range(2):
        with pytest.raises(Refused, match="missing or empty"):
            t440.call("store stage", source="oc-core")
        source.mkdir(exist_ok=True)
    assert read_tree(staged(t440)) == good


def test_a_ruined_database_is_held_at_its_last_good_copy(t440: Node, source: Path) -> None:
    t440.call("store stage", source="oc-core")
    with open(source / "live.db", "r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 4096)
    result = t440.call("store stage", source="oc-core")
    assert list(result["held"]) == ["live.db"]
    assert rows(staged(t440) / "tree/live.db") == 1


WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA wal_autocheckpoint=20")
print("ready", flush=True)
while True:
    database.execute("INSERT INTO t VALUES (randomblob(5000))")
    database.execute("UPDATE t SET x = randomblob(3000) WHERE rowid % 7 = abs(random()) % 7")
    database.commit()
"""


@contextmanager
def writing(database: Path) -> Iterator[None]:
    """Somebody writes into the database as fast as possible."""
    writer = subprocess.Popen((sys.executable, "-c", WRITER, str(database)), stdout=subprocess.PIPE)
    assert writer.stdout and writer.stdout.readline() == b"ready\n"
    try:
        yield
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


def test_no_copy_of_a_database_under_constant_writes_is_corrupt(t440: Node, source: Path) -> None:
    counts = []
    with writing(source / "live.db"):
        for _ in range(COPIES):
            assert not t440.call("store stage", source="oc-core")["bad"]
            counts.append(rows(staged(t440) / "tree/live.db"))
    assert counts[-1] > counts[0]  # there really was somebody writing


@pytest.fixture
def tiers(sshd: Sshd, tmp_path: Path, t440: Node) -> tuple[Node, Node, Node]:
    """(t440, pc-a, pc-b): pc-a pulls from t440, pc-b from pc-a."""
    a, b = Node(tmp_path, "pc-a"), Node(tmp_path, "pc-b")
    a.reach(sshd, t440)
    b.reach(sshd, a)
    return t440, a, b


def test_three_tiers_hold_the_same_and_it_is_restored_by_cp(
    tiers: tuple[Node, Node, Node], tmp_path: Path
) -> None:
    t440, a, b = tiers
    t440.call("store stage", source="oc-core")
    first = back_up(a, "t440", "stage/oc-core", "primary")["id"]
    back_up(b, "pc-a", f"store/{STORE}/{first}", "dr")
    roots = [
        read_manifest(place / "manifest.json")["root"]
        for place in (staged(t440), a.current(STORE).parent, b.current(STORE).parent)
    ]
    assert len(set(roots)) == 1
    restored = tmp_path / "restored"
    subprocess.run(("cp", "-a", str(b.current(STORE)), str(restored)), check=True)
    assert read_tree(restored) == read_tree(staged(t440) / "tree")
    assert (restored / "empty").is_dir() and os.readlink(restored / "link") == "/nowhere"
    assert (restored / "mode").stat().st_mode & 0o777 == 0o640
    # Nothing changed: nothing new, on either tier.
    t440.call("store stage", source="oc-core")
    again = back_up(a, "t440", "stage/oc-core", "primary")
    assert again["unchanged"] and again["id"] == first


def test_rot_on_the_first_tier_is_not_taken_over_by_the_second(
    tiers: tuple[Node, Node, Node], source: Path
) -> None:
    t440, a, b = tiers
    t440.call("store stage", source="oc-core")
    first = back_up(a, "t440", "stage/oc-core", "primary")["id"]
    rotten = a.current(STORE) / "a.txt"
    status = rotten.stat()
    rotten.write_text("hellO")
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(Refused, match=r"1 files are not what the peer's manifest says: a.txt"):
        back_up(b, "pc-a", f"store/{STORE}/{first}", "dr")
    assert not b.current(STORE).exists()


def test_a_fetched_snapshot_keeps_its_id_and_is_never_current(
    tiers: tuple[Node, Node, Node],
) -> None:
    t440, a, b = tiers
    t440.call("store stage", source="oc-core")
    first = back_up(a, "t440", "stage/oc-core", "primary")["id"]
    for fetched in (True, False):
        got = b.call("store fetch", store=STORE, peer="pc-a", snapshot=first, pin="kept")
        assert got["fetched"] is fetched and got["id"] == first
    described = b.call("store list", store=STORE)["stores"][STORE]
    assert described["current"] is None and described["age_seconds"] is None
    assert [(one["id"], one["pinned"]) for one in described["snapshots"]] == [(first, True)]
