"""A backup comes back: whole or in part, as `cp -a` brings it, and never over what is there."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployments.node.errors import BadInput, Refused

from .loopback import Node, Sshd, back_up
from .tiers_ground import STORE, everything

WHEN = ("older", "newer")


@pytest.fixture
def t440(tmp_path: Path) -> Node:
    """With a container."""
    source = tmp_path / "oc-core"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("hello\n")
    (source / "sub/-x\n'q\".txt").write_text("odd name\n")
    (source / "sub/secret").write_text("x")
    (source / "sub/secret").chmod(0o640)
    (source / "link").symlink_to("a.txt")
    (source / "empty/below").mkdir(parents=True)
    (source / "empty").chmod(0o751)
    for folder in ("sub", "empty", ""):
        if os.geteuid() == 0:
            os.chown(source / folder, 1234, 4321)
        os.utime(source / folder, ns=(10**18, 10**18))
    return Node(tmp_path, "t440", sources={"oc-core": str(source)})


@pytest.fixture
def backed_up(sshd: Sshd, t440: Node, tmp_path: Path) -> Node:
    """pc-a with one verified backup of it."""
    a = Node(tmp_path, "pc-a")
    a.reach(sshd, t440)
    back_up_again(t440, a)
    return a


def back_up_again(t440: Node, a: Node) -> None:
    t440.call("store stage", source="oc-core")
    back_up(a, "t440", "stage/oc-core", "primary")


def restore(node: Node, target: Path | str, **more: Any) -> dict[str, Any]:
    return node.call("store restore", store=STORE, target=str(target), **more)


def test_it_comes_back_as_cp_brings_it(backed_up: Node, tmp_path: Path) -> None:
    result = restore(backed_up, tmp_path / "ours")
    assert (result["files"], result["wrong"]) == (4, [])
    (tmp_path / "theirs").mkdir()
    tree = backed_up.current(STORE)
    subprocess.run(("cp", "-a", f"{tree}/.", str(tmp_path / "theirs")), check=True)
    assert everything(tmp_path / "ours") == everything(tmp_path / "theirs")


def test_a_dry_run_says_what_would_come(backed_up: Node, tmp_path: Path) -> None:
    result = restore(backed_up, tmp_path / "ours", dry_run=True, only="sub")
    assert result["paths"] == ["sub/-x\n'q\".txt", "sub/secret"]
    assert not (tmp_path / "ours").exists()


def test_only_the_part_that_is_named_comes_back(backed_up: Node, tmp_path: Path) -> None:
    restore(backed_up, tmp_path / "ours", only="sub/secret")
    assert sorted(everything(tmp_path / "ours")) == [".", "sub", "sub/secret"]


def test_an_older_backup_comes_back_with_the_modes_of_its_time(
    t440: Node, backed_up: Node, tmp_path: Path
) -> None:
    """All snapshots share the file: rsync sets a mode that changed on every one of them."""
    older = backed_up.call("store list", store=STORE)["stores"][STORE]["current"]
    (tmp_path / "oc-core" / "sub/secret").chmod(0o604)
    back_up_again(t440, backed_up)
    restore(backed_up, tmp_path / "older", snapshot=older)
    restore(backed_up, tmp_path / "newer")
    modes = [stat.S_IMODE((tmp_path / one / "sub/secret").stat().st_mode) for one in WHEN]
    assert modes == [0o640, 0o604]


def test_what_is_there_is_not_overwritten_unless_it_is_told(
    backed_up: Node, tmp_path: Path
) -> None:
    target, elsewhere = tmp_path / "ours", tmp_path / "elsewhere"
    target.mkdir()
    (target / "mine").write_text("mine\n")
    elsewhere.write_text("not to be touched\n")
    (target / "a.txt").symlink_to(elsewhere)
    with pytest.raises(Refused, match="is not empty"):
        restore(backed_up, target)
    restore(backed_up, target, force=True)
    assert (target / "mine").read_text() == "mine\n"
    assert (target / "a.txt").read_text() == "hello\n" and not (target / "a.txt").is_symlink()
    assert elsewhere.read_text() == "not to be touched\n"


def test_rot_is_found_when_it_is_read_back(backed_up: Node, tmp_path: Path) -> None:
    file = backed_up.current(STORE) / "a.txt"
    file.chmod(0o600)
    file.write_text("jello\n")
    assert restore(backed_up, tmp_path / "ours")["wrong"] == ["a.txt"]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"target": "ours"}, BadInput, "absolute"),
        ({"target": "/proc/version"}, Refused, "is no folder"),
        ({"only": "nothing"}, BadInput, "has no nothing"),
    ],
)
def test_what_cannot_be_is_said(
    backed_up: Node, tmp_path: Path, more: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        restore(backed_up, **{"target": str(tmp_path / "ours"), **more})


def test_without_a_backup_there_is_nothing_to_restore(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no verified snapshot"):
        restore(Node(tmp_path, "pc-a"), tmp_path / "ours")
