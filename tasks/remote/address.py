"""Where a node is, and by which keys we know each other."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import paramiko

from tasks.core.errors import HostKeyMismatch


@dataclass(frozen=True)
class Address:
    """Where a node is and how we prove to each other who we are."""

    name: str
    host: str
    port: int
    user: str
    key: Path
    known_hosts: Path

    @property
    def host_key_name(self) -> str:
        """The name under which known_hosts holds this host's key."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


def pinned_key(address: Address) -> paramiko.PKey:
    """The host key that known_hosts holds for this node. Raises HostKeyMismatch when none."""
    keys = paramiko.HostKeys()
    with contextlib.suppress(FileNotFoundError):
        keys.load(str(address.known_hosts))
    found = keys.lookup(address.host_key_name)
    if found is None:
        raise HostKeyMismatch(address.name, how_to_accept(address, "host key unknown"))
    return next(iter(found.values()))


def check_host_key(address: Address, pinned: paramiko.PKey, offered: paramiko.PKey) -> None:
    """Raises HostKeyMismatch unless the offered key is the pinned one."""
    if offered != pinned:
        what = f"host key changed: now {offered.fingerprint}, pinned {pinned.fingerprint}"
        raise HostKeyMismatch(address.name, how_to_accept(address, what))


def how_to_accept(address: Address, what: str) -> str:
    """What is the matter with the host key, and how a person accepts another one."""
    return (
        f"{what}; if that is right, compare the fingerprint on the machine and accept it:"
        f" ssh-keygen -R '{address.host_key_name}' -f {address.known_hosts} &&"
        f" ssh-keyscan -t ed25519 -p {address.port} {address.host} >> {address.known_hosts}"
    )
