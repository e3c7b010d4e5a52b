"""A container's backups on two tiers, and rot in them, for the tests of scrub and heal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from deployments.node.manifest import verify

from .loopback import Node, Sshd, back_up

STORE = "backup/oc-core"
STAGE: dict[str, Any] = {"source": "oc-core"}
PULL: dict[str, Any] = {
    "store": STORE,
    "peer": "t440",
    "parts": {"": "stage/oc-core/tree"},
    "check": "stage/oc-core/manifest.json",
}
ORDER: dict[str, Any] = {"origin": "t440", "epoch": 1, "tier": "primary"}
PUBLISH: dict[str, Any] = {"store": STORE, **ORDER}
TAKE: dict[str, Any] = {**PULL, "publish": ORDER}
ODD = os.fsdecode(b"-x\n'q\" \xff* $(id).txt")
FILES = {"a.txt": "hello\n", "sub/b.txt": "second\n", f"sub/{ODD}": "odd name\n", "same.txt": "x\n"}


class Tiers:
    """T440 with a container, pc-a with three backups of it, pc-b with pc-a's newest."""

    def __init__(self, sshd: Sshd, folder: Path) -> None:
        self.source = folder / "oc-core"
        for path, text in FILES.items():
            (self.source / path).parent.mkdir(parents=True, exist_ok=True)
            (self.source / path).write_text(text)
        (self.source / "link").symlink_to("a.txt")
        os.utime(self.source / "sub", ns=(10**18, 10**18))
        self.t440 = Node(folder, "t440", sources={"oc-core": str(self.source)})
        self.a, self.b = Node(folder, "pc-a"), Node(folder, "pc-b")
        self.a.reach(sshd, self.t440)
        self.a.reach(sshd, self.b)
        self.b.reach(sshd, self.a)
        for number in range(3):
            (self.source / "changing.txt").write_text(f"version {number}\n")
            self.to_a()
        self.to_b()

    def to_a(self) -> dict[str, Any]:
        staged = self.t440.call("store stage", source="oc-core")
        return back_up(self.a, "t440", "stage/oc-core", "primary", staged)

    def to_b(self) -> dict[str, Any]:
        return back_up(self.b, "pc-a", f"store/{STORE}/{snapshots(self.a)[-1].name}", "dr")

    def heal(self, node: Node, peer: Node) -> dict[str, Any]:
        """As T440 does it: what is here first, then the other tier's offer."""
        told = node.call("store heal", store=STORE)
        if told["wanted"]:
            peer.call("store offer", store=STORE, sha256=told["wanted"])
            told = node.call("store heal", store=STORE, peer=peer.name)
            peer.call("store offer", store=STORE, sha256=[])
        return told


def snapshots(node: Node) -> list[Path]:
    return sorted((node.config.stores / STORE / "snaps").iterdir())


def rot(file: Path) -> None:
    """Flip one bit; size, mode and times stay, as on a disk that forgets."""
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    with file.open("r+b") as stream:
        stream.write(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def scrub(node: Node, **more: Any) -> dict[str, Any]:
    """All of a store."""
    return node.call("store scrub", store=STORE, of=1, **more)


def names(faults: list[dict[str, Any]]) -> set[str]:
    return {fault["path"] for fault in faults}


def state(node: Node) -> dict[str, tuple[Any, ...]]:
    """Path -> mode, mtime, content and number of links of everything below snaps."""
    found: dict[str, tuple[Any, ...]] = {}
    root = node.config.stores / STORE / "snaps"
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            status = path.lstat()
            content = content_of(path)
            if isinstance(content, bytes):
                content = (content, status.st_nlink)
            times = 0 if path.is_symlink() else status.st_mtime_ns
            found[str(path.relative_to(root))] = (status.st_mode, times, content)
    return found


def content_of(path: Path) -> Any:
    """The bytes of a file, where a link leads; "" for a folder."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else ""


def everything(root: Path) -> dict[str, tuple[Any, ...]]:
    """Path -> all that is kept of it, the root itself among them."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        owner = (status.st_uid, status.st_gid)
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_mtime_ns,
            owner,
            content_of(path),
        )
    return found


def without_links(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The same, but for how many links a file has: .incoming holds one less after a healing."""
    return {
        path: (mode, times, content[0] if isinstance(content, tuple) else content)
        for path, (mode, times, content) in found.items()
    }


def all_whole(node: Node) -> bool:
    return all(verify(snapshot) == [] for snapshot in snapshots(node))
