"""The steps of a backup one by one, and what may change at its source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployments.node.manifest import read_manifest

from .loopback import Node, as_told
from .tiers_ground import PUBLISH, PULL, STAGE, STORE, TAKE, Tiers


def stage(tiers: Tiers) -> dict[str, Any]:
    return tiers.t440.call("store stage", **STAGE)


def pull(node: Node, staged: dict[str, Any]) -> dict[str, Any]:
    return node.call("store pull", **PULL, **as_told(staged))


def publish(node: Node) -> dict[str, Any]:
    return node.call("store publish", **PUBLISH)


def take(node: Node, staged: dict[str, Any]) -> dict[str, Any]:
    """Both at once, as a backup does."""
    return node.call("store pull", **TAKE, **as_told(staged))


def files_of(node: Node) -> dict[str, Any]:
    """What the manifest of its newest snapshot says."""
    return dict(read_manifest(node.current(STORE).parent / "manifest.json")["files"])


@contextmanager
def away(tiers: Tiers) -> Iterator[None]:
    """T440 cannot be reached by pc-a."""
    real = tiers.a.peers["t440"]
    tiers.a.peers["t440"] = replace(real, port=1)
    try:
        yield
    finally:
        tiers.a.peers["t440"] = real


def rewrite(source: Path) -> None:
    (source / "a.txt").write_text("hello again\n")


def rewrite_in_place(source: Path) -> None:
    """The same size, and the time set back."""
    before = (source / "a.txt").stat()
    (source / "a.txt").write_text("HELLO\n")
    os.utime(source / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def remove_all_but_one(source: Path) -> None:
    shutil.rmtree(source / "sub")


def swap_kinds(source: Path) -> None:
    shutil.rmtree(source / "sub")
    (source / "sub").write_text("a file now")
    (source / "a.txt").unlink()
    (source / "a.txt").mkdir()
    (source / "a.txt/inside").write_text("a folder now")
    (source / "link").unlink()
    (source / "link").write_text("no link any more")


def odd_names(source: Path) -> None:
    for name in (b"#hash", b";semicolon", b"-dash", b" space ", b"new\nline", b"\xff*?[x]"):
        (source / os.fsdecode(name)).mkdir()
        (source / os.fsdecode(name) / "x").write_text("odd")


def turn_the_link(source: Path) -> None:
    (source / "link").unlink()
    (source / "link").symlink_to("/etc")


def change_modes(source: Path) -> None:
    (source / "a.txt").chmod(0o604)
    (source / "sub").chmod(0o750)
    source.chmod(0o705)


def change_owners(source: Path) -> None:
    for path in (source, source / "sub", source / "a.txt"):
        os.chown(path, 1234, 4321)


CHANGES = [
    *(rewrite, rewrite_in_place, remove_all_but_one, swap_kinds),
    *(odd_names, turn_the_link, change_modes),
    *((change_owners,) if os.geteuid() == 0 else ()),
]
