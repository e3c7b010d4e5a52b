"""The configuration of a loopback sshd, and the one folder outside ours that root's sshd wants."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployments.demo import sshd


@pytest.mark.parametrize(
    "character", ['"', "\\", "%", "\n"], ids=["quote", "backslash", "%", "line"]
)
def test_a_folder_that_sshd_cannot_be_told_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="does not work"):
        sshd.make_sshd_config(Path(f"/tmp/a{character}b"), 2222, {})  # noqa: S108 - never made


@pytest.fixture
def privilege_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place for /run/sshd, which other programs of this machine may be using now."""
    if os.geteuid() != 0:
        pytest.skip("only root's sshd needs the folder")
    folder = tmp_path / "sshd"
    monkeypatch.setattr(sshd, "PRIVILEGE_FOLDER", folder)
    monkeypatch.setattr(sshd, "MADE_BY_US", folder / "mark")
    return folder


def test_the_folder_is_made_once_and_removed_when_no_sshd_needs_it(
    privilege_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sshd.ensure_privilege_folder()
    sshd.ensure_privilege_folder()
    monkeypatch.setattr(sshd, "process_table", dict)  # no process at all
    assert sshd.remove_privilege_folder()
    assert not privilege_folder.exists()


def test_a_folder_that_was_there_before_stays(privilege_folder: Path) -> None:
    privilege_folder.mkdir()
    sshd.ensure_privilege_folder()
    assert not sshd.remove_privilege_folder()
    assert privilege_folder.exists()
