"""Three machines as their owner has them before Dual Joe: OpenClaw on two, a checkout on T440."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from deployments.demo.closing import Closing
from tests.lab import cache
from tests.lab.commands import run
from tests.lab.earlier import PARTS
from tests.lab.files import HOME, LIBRARIES, SOURCE, put
from tests.lab.hosts import Host
from tests.lab.internet import Internet
from tests.lab.lab import Lab
from tests.lab.network import ADDRESSES
from tests.lab.openclaw import UNIT, install_alone
from tests.lab.prefect import HostPrefect
from tests.lab.site import BINDS, NODES, T440

SITE = f"{HOME}/site.yaml"
KEY = f"{HOME}/.ssh/mine"
PYTHON = f"{HOME}/venv/bin/python"
KEYS = f"{HOME}/.ssh/authorized_keys"
PROVISION_SECONDS = 400.0
MINE = "# a line of mine, without an end"


class Bare(Closing):
    """The hosts, on. The owner's key opens both nodes; nothing of ours is on any of them."""

    def __init__(self, folder: Path, **openclaw: Any) -> None:
        self.lab = Lab({**BINDS, cache.PROJECT / "prefect.yaml": f"{SOURCE}/prefect.yaml"})
        try:
            self.lab.start_all()
            self.internet = Internet(self.lab, folder / "bot.jsonl")
            self.t440 = self.lab.hosts[T440]
            self.nodes = {name: self.lab.hosts[name] for name in NODES}
            self.prefect = HostPrefect(self.t440)
            self.source = SOURCE
            for name, host in self.nodes.items():
                install_alone(host, {"node": name, "start_seconds": 1.0, **openclaw})
            self._admit_the_owner()
            self._make_venv()
            put(self.t440, SITE, yaml.safe_dump(site_document(), sort_keys=False))
        except BaseException:
            self.close()
            raise

    def _admit_the_owner(self) -> None:
        put(self.t440, f"{HOME}/.ssh/.folder", "")
        argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", KEY)
        self.t440.run(argv)
        public = self.t440.run(("cat", f"{KEY}.pub")).strip()
        for host in self.nodes.values():
            put(host, KEYS, f"{public}\n{MINE}", 0o600)

    def _make_venv(self) -> None:
        """As setup.sh leaves it, but for the libraries: those of this project's own .venv."""
        self.t440.run(("python3", "-m", "venv", "--without-pip", f"{HOME}/venv"))
        packages = self.t440.run(
            (PYTHON, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])")
        )
        put(self.t440, f"{packages.strip()}/lab.pth", f"{LIBRARIES}\n")

    def check_out(self, tree: Path) -> None:
        """Have T440 work from a copy of this checkout, as after a clone or a pull."""
        self.source = f"{HOME}/dual-joe"
        copy = self.t440.home / "dual-joe"
        shutil.rmtree(copy, ignore_errors=True)
        ours = shutil.ignore_patterns("__pycache__")
        for part in PARTS:
            if (tree / part).is_dir():
                # Written now, as git would: times are what tells that a program is older.
                shutil.copytree(
                    tree / part, copy / part, copy_function=shutil.copyfile, ignore=ours
                )
            else:
                shutil.copyfile(tree / part, copy / part)
        for path in (copy, *copy.rglob("*")):
            os.chown(path, cache.UID, cache.UID)

    def provision(self, *options: str) -> tuple[int, str]:
        """(exit code, everything it printed), as T440's user runs it."""
        words = (PYTHON, "-m", "deployments.provision", SITE, "--identity", KEY, *options)
        done = self.t440.ask(("env", "-C", self.source, *words), timeout=PROVISION_SECONDS)
        return done.returncode, done.stdout + done.stderr

    def doctor(self, *settings: str) -> tuple[int, str]:
        """(exit code, everything it printed), with these settings in its environment."""
        words = (*settings, PYTHON, "-m", "deployments.doctor", SITE)
        done = self.t440.ask(("env", "-C", self.source, *words), timeout=PROVISION_SECONDS)
        return done.returncode, done.stdout + done.stderr

    def serving(self) -> list[str]:
        """The nodes on which the unit of the gateway has processes."""
        return [name for name, host in self.nodes.items() if host.procs(UNIT)]

    def files_of_ours(self) -> list[str]:
        """Every file below the homes' folders that belongs to Dual Joe, as host:path."""
        found = []
        for name, host in self.lab.hosts.items():
            for folder in (".dualjoe", ".config/systemd/user"):
                paths = sorted((host.home / folder).rglob("*"))
                found += [f"{name}:{path.relative_to(host.home)}" for path in paths]
        return found

    def close(self) -> None:
        """Everything is off, and nothing is left."""
        if hasattr(self, "internet"):
            self.internet.close()
        self.lab.close()


def site_document() -> dict[str, Any]:
    """What the owner writes, by the example in deployments/site.example.yaml."""
    own = "~/.dualjoe"
    return {
        "site": "joe",
        "preferred": NODES[0],
        "watchdog": {
            "name": T440,
            "address": ADDRESSES[T440],
            "state": own,
            "key": f"{own}/keys/control",
            "known_hosts": f"{own}/known_hosts",
            "joe": f"{own}/joe.pyz",
            "node_file": f"{own}/node.json",
        },
        "nodes": {name: {"address": ADDRESSES[name], "user": cache.USER} for name in NODES},
    }


def linger(host: Host) -> Path:
    """The mark by which systemd starts the user's units without a login."""
    return host.files / f"var/lib/systemd/linger/{cache.USER}"


def fingerprint(host: Host) -> str:
    """What the host itself says of its key."""
    file = str(host.files / "etc/ssh/ssh_host_ed25519_key.pub")
    return run(("ssh-keygen", "-l", "-f", file)).split()[1]
