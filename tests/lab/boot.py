"""What a host is made of: a disk over the common file system, and the command that boots it."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.commands import run
from tests.lab.network import BRIDGE, hosts_file, network_file

if TYPE_CHECKING:
    from tests.lab.lab import Lab

DISK = "1g"
CLOCKS = {"boottime": time.CLOCK_BOOTTIME, "monotonic": time.CLOCK_MONOTONIC}


def make_disk(lab: Lab, disk: Path, lower: str) -> None:
    """A disk of its own size at `disk`/all, over the file system `lower`."""
    lab.run("mkdir", str(disk))
    lab.run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", str(disk))
    lab.run("mkdir", f"{disk}/upper", f"{disk}/work", f"{disk}/all")
    layers = f"lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work"
    lab.run("mount", "-t", "overlay", "none", "-o", layers, f"{disk}/all")


def make_own(files: Path, name: str) -> None:
    """What no two hosts have in common: name, machine id, address and host key."""
    etc = files / "etc"
    (etc / "hostname").write_text(f"{name}\n")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    (etc / "hosts").write_text(hosts_file())
    (etc / "systemd/network/10-lab.network").write_text(network_file(name))
    key = str(etc / "ssh/ssh_host_ed25519_key")
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key))


def make_boot(lab: Lab, disk: Path, name: str) -> tuple[str, ...]:
    """argv of the host's whole life; it must begin in the host's own control group."""
    # A boot begins at 0, as on a machine of its own; 1 s less, for no clock may be negative.
    shifts = [f"--{clock}={1 - int(time.clock_gettime(key))}" for clock, key in CLOCKS.items()]
    return (
        *("unshare", "--time", *shifts, "--fork", "--kill-child"),
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
        *("--link-journal=no", "--console=pipe", "--resolv-conf=off", "--timezone=off"),
        *(f"--directory={disk}/all", f"--machine={name}", f"--network-bridge={BRIDGE}"),
        *(f"--bind-ro={source}:{target}" for source, target in lab.binds.items()),
    )
