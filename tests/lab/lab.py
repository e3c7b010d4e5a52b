"""Three full systemd hosts on one box, with the switch between them.

Everything of a lab is inside the namespaces of one process, the holder, which ends when the pipe to
the test does: so the kernel takes a lab down with its test, however that ends.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from deployments.demo.closing import Closing
from deployments.demo.processes import wait_until
from tests.lab import cache, cgroups
from tests.lab.commands import name_of, run
from tests.lab.hosts import Host
from tests.lab.network import ADDRESSES, BOX, BRIDGE, BRIDGE_MAC
from tests.lab.network import rules as network_rules


class Lab(Closing):
    """The holder, the switch between the hosts, and the hosts by name; nothing is on yet.

    `binds`: folder of the box -> place in every host, read-only.
    """

    def __init__(self, binds: Mapping[Path, str] = {}) -> None:
        cgroups.sweep()
        self.base, self.binds = cache.base(), dict(binds)
        self.mount = cache.FOLDER / "mount"  # empty on the disk: mounts on it are the holder's own
        self.mount.mkdir(exist_ok=True)
        self.cuts: set[tuple[str, str]] = set()
        self.hosts: dict[str, Host] = {}
        kinds = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        self._holder = subprocess.Popen(
            ("unshare", *kinds, "cat"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        try:
            self.pid = self._find_holder()
            self._lay_network()
            for name in ADDRESSES:
                if name != BOX:
                    self.hosts[name] = Host(self, name)
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> Path:
        """The holder's file system, as this process can reach it."""
        return Path(f"/proc/{self.pid}/root")

    def argv(self, *words: str) -> tuple[str, ...]:
        """A command inside the lab, on the box's side of the network; it ends with the lab."""
        return ("nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--", *words)

    def run(self, *words: str, given: str = "") -> str:
        """Run a command inside the lab. Raises Failed."""
        return run(self.argv(*words), given=given)

    def start_all(self) -> float:
        """Power on every host; returns the seconds until the slowest one was up."""
        begun = time.monotonic()
        for host in self.hosts.values():
            host.power_on()
        for host in self.hosts.values():
            host.wait_until_up()
        return time.monotonic() - begun

    def apply_cuts(self) -> None:
        """Make the switch drop what `cuts` says, and nothing else."""
        self.run("chroot", str(self.base), "nft", "-f", "-", given=network_rules(self.cuts))

    def close(self) -> None:
        """Take everything down, and leave nothing; safe to repeat."""
        holder = self._holder
        if holder.stdin is not None and not holder.stdin.closed:
            holder.stdin.close()
            holder.wait(cgroups.SECONDS)
        for host in self.hosts.values():
            host.clear_up()
        self.hosts.clear()

    def _find_holder(self) -> int:
        """The first process inside, once it is `cat`: then the namespaces are complete."""
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")

        def is_there() -> bool:
            if self._holder.poll() is not None:
                raise cache.LabImpossible("the lab's holder ended at once")
            return any(name_of(pid) == "cat" for pid in children.read_text().split())

        wait_until(is_there, cgroups.SECONDS, "the lab's holder")
        return int(children.read_text().split()[0])

    def _lay_network(self) -> None:
        # /run: what systemd-nspawn notes there is to go with the lab.
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run")
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(self.mount))
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", BRIDGE, "address", BRIDGE_MAC, "type", "bridge")
        self.run("ip", "address", "add", f"{ADDRESSES[BOX]}/24", "dev", BRIDGE)
        self.run("ip", "link", "set", BRIDGE, "up")
