"""A disk that is full at any step of a backup: one line says it, and the last good one stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployments.node.manifest import verify

from .loopback import Node, Sshd, read_tree

MB = 1 << 20
STORE = "backup/oc-core"
STEPS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "stage": ("t440", "store stage", {"source": "oc-core"}),
    "pull": (
        "pc-a",
        "store pull",
        {
            "store": STORE,
            "peer": "t440",
            "parts": {"": "stage/oc-core/tree"},
            "check": "stage/oc-core/manifest.json",
        },
    ),
    "publish": (
        "pc-a",
        "store publish",
        {"store": STORE, "origin": "t440", "epoch": 1, "tier": "primary"},
    ),
}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)), check=True)
    try:
        yield
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True)


def resize(folder: Path, options: str) -> None:
    subprocess.run(("mount", "-o", f"remount,{options}", str(folder)), check=True)


def fill(folder: Path) -> None:
    """No byte and no file more."""
    found = os.statvfs(folder)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    resize(folder, f"size={used},nr_inodes={found.f_files - found.f_ffree}")


@pytest.fixture
def machines(sshd: Sshd, tmp_path: Path) -> Iterator[dict[str, Node]]:
    """t440 with a container, and pc-a with one verified backup of it, each on a small disk."""
    source = tmp_path / "oc-core"
    source.mkdir()
    (source / "note.txt").write_text("one\n")
    t440 = Node(tmp_path, "t440", sources={"oc-core": str(source)})
    a = Node(tmp_path, "pc-a")
    a.reach(sshd, t440)
    with small_disk(t440.config.state), small_disk(a.config.state):
        found = {"t440": t440, "pc-a": a}
        for node, verb, params in STEPS.values():
            assert found[node].rpc(verb, **params)["exit"] == 0
        yield found


@pytest.mark.parametrize("full", STEPS)
def test_at(machines: dict[str, Node], full: str, tmp_path: Path) -> None:
    a, source = machines["pc-a"], tmp_path / "oc-core"
    good, before = read_tree(a.current(STORE)), a.current(STORE).parent.resolve()
    (source / "note.txt").write_text("two\n")
    (source / "large.bin").write_bytes(os.urandom(20 * MB))
    for step, (node, verb, params) in STEPS.items():
        if step == full:
            fill(machines[node].config.state)
        told = machines[node].rpc(verb, **params)
        if step == full:
            break
        assert told["exit"] == 0, told
    print(told)
    assert told["exit"] != 0
    assert "room" in told["message"] or "No space left" in told["message"]
    assert "\n" not in told["message"]
    assert a.current(STORE).parent.resolve() == before
    assert read_tree(a.current(STORE)) == good and not verify(before)
    resize(machines[node].config.state, "size=300m,nr_inodes=0")
    for node, verb, params in STEPS.values():
        assert machines[node].rpc(verb, **params)["exit"] == 0
    assert read_tree(a.current(STORE)) == read_tree(source)
    assert not verify(a.current(STORE).parent)
