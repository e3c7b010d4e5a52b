"""Three machines on loopback with nothing of ours on them, and the user who provisions them."""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from deployments.demo.ground import make_key, pick_ports, read_public
from deployments.demo.launch import PROJECT
from deployments.demo.machine import Machine
from deployments.demo.openclaw.install import install
from deployments.demo.sshd import remove_privilege_folder
from tests.demo.conftest import run, ssh_argv

T440, NODES = "t440", ("pc-a", "pc-b")
SECONDS = 60.0


class Ground:
    """t440, pc-a and pc-b, switched on. `user_key` opens a shell on the nodes, as a person's does.

    No guard runs and systemd is left alone: `--no-units`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        pairs = zip((T440, *NODES), pick_ports(), strict=True)
        self.machines = {name: Machine(root, name, *both) for name, both in pairs}
        self.t440 = self.machines[T440]
        self.user_key = root / "user"
        make_key(self.user_key, "me@laptop")
        for name, machine in self.machines.items():
            make_key(machine.etc / "host_key", f"{name} host key")
            keys = self.authorized_keys(name)
            keys.parent.mkdir(mode=0o700)
            # Without an end of line, and with what a person leaves in such a file.
            keys.write_text(f"# mine\n\n{read_public(self.user_key)}")
            (machine.etc / "authorized_keys").symlink_to(keys)
            # What only a loopback machine must be told: a real one has a boot and a tmpfs.
            own = {"boot_id_file": str(machine.boot_id_file), "run": str(machine.run)}
            machine.node_file.write_text(json.dumps(own))
        for machine in (self.machines[name] for name in NODES):
            install(machine.home, machine.gateway_port, "")
        self.site_file = root / "site.yaml"
        self.site_file.write_text(yaml.safe_dump(self.site_document()))

    def authorized_keys(self, name: str) -> Path:
        return self.machines[name].home / ".ssh" / "authorized_keys"

    def own(self, name: str, path: str) -> Path:
        """A file of ours on a machine."""
        return self.machines[name].home / ".dualjoe" / path

    def site_document(self) -> dict[str, object]:
        own = {name: str(self.own(T440, name)) for name in ("known_hosts", "joe.pyz", "node.json")}
        return {
            "site": "joe",
            "preferred": "pc-a",
            "watchdog": {
                "address": "127.0.0.1",
                "port": self.t440.ssh_port,
                "state": str(self.own(T440, "state")),
                "key": str(self.own(T440, "keys/control")),
                "known_hosts": own["known_hosts"],
                "joe": own["joe.pyz"],
                "node_file": own["node.json"],
            },
            "nodes": {
                name: {
                    "address": "127.0.0.1",
                    "user": getpass.getuser(),
                    "port": self.machines[name].ssh_port,
                    "gateway_port": self.machines[name].gateway_port,
                }
                for name in NODES
            },
            "containers": [],
        }

    def command(self, *options: str, identity: Path | None = None) -> list[str]:
        """argv of the provisioning, as T440's user runs it."""
        words = (str(self.site_file), "--no-units", "--identity", str(identity or self.user_key))
        return [sys.executable, "-m", "deployments.provision", *words, *options]

    def provision(
        self, *options: str, identity: Path | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; `text` is what a person types."""
        return subprocess.run(
            self.command(*options, identity=identity),
            cwd=PROJECT,
            env=self.t440.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def knock(
        self, key: Path, to: str, command: str, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Ssh with one key, by the host keys that were pinned on T440; "" is no command."""
        port, known_hosts = self.machines[to].ssh_port, self.own(T440, "known_hosts")
        words = (*options, "127.0.0.1", *filter(None, (command,)))
        return run(ssh_argv(key, port, *words, known_hosts=known_hosts))

    def files(self) -> dict[str, tuple[int, int, bytes]]:
        """Every file in the three homes with its mode, time of change and content."""
        found = {}
        for machine in self.machines.values():
            for file in sorted(machine.home.rglob("*")):
                if file.is_file():
                    status = file.stat()
                    place = str(file.relative_to(self.root))
                    found[place] = (status.st_mode, status.st_mtime_ns, file.read_bytes())
        return found


@contextlib.contextmanager
def ground(root: Path) -> Iterator[Ground]:
    """The machines, on; they lose power at the end."""
    made = Ground(root)
    try:
        for machine in made.machines.values():
            machine.power_on()
        yield made
    finally:
        for machine in made.machines.values():
            machine.power_cut()
        remove_privilege_folder()
