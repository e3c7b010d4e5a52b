"""What three machines stand on: free ports, a folder that one demo holds, and key pairs."""

from __future__ import annotations

import fcntl
import random
import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple


class Ports(NamedTuple):
    """The loopback ports of the three machines; T440 has no gateway, its second port is a spare."""

    t440: tuple[int, int]
    pc_a: tuple[int, int]
    pc_b: tuple[int, int]


def pick_ports() -> Ports:
    """Six free ports below the kernel's ephemeral ones.

    An ephemeral port could be taken by any outgoing connection while its machine is off.
    """
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    highest = max(min(int(limits[0]), 32768), 11000)
    free: list[int] = []
    for port in random.SystemRandom().sample(range(10000, highest), highest - 10000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0 and _can_bind(port):
                free.append(port)
        if len(free) == 6:
            return Ports((free[0], free[1]), (free[2], free[3]), (free[4], free[5]))
    raise OSError("no six free ports on loopback")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def lock_root(root: Path) -> IO[str]:
    """Hold `root` for this process. Raises RuntimeError when another demo holds it."""
    lock = (root / ".demo-lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise RuntimeError(f"another demo runs in {root}") from None
    return lock


def remove_earlier(root: Path, names: Iterable[str]) -> None:
    """Remove what an earlier demo in `root` left. Raises RuntimeError for what no demo made."""
    mark = root / ".made-by-the-dual-joe-demo"
    found = [name for name in names if (root / name).exists()]
    if found and not mark.exists():
        raise RuntimeError(
            f"{root} holds {', '.join(found)} that no demo made: choose another folder"
        )
    mark.touch()
    for name in found:
        shutil.rmtree(root / name)


def make_key(file: Path, comment: str) -> None:
    """Write an ed25519 key pair without a passphrase: `file` and `file`.pub."""
    argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file))
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def read_public(file: Path) -> str:
    """The public half of a key pair, one line."""
    return file.with_name(file.name + ".pub").read_text().strip()
