"""Three machines on loopback: T440 and the nodes pc-a and pc-b, with keys, doors and programs."""

from __future__ import annotations

import getpass
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..build_node import build
from .closing import Closing
from .containers import make_containers
from .ground import Ports, lock_root, make_key, pick_ports, read_public, remove_earlier
from .launch import PYTHON
from .machine import Machine, sweep
from .openclaw.install import AGENTS, install, workspace
from .sshd import remove_privilege_folder

T440 = "t440"
NODES = ("pc-a", "pc-b")


class ThreeMachines(Closing):
    """The machines below `root`, made anew: `t440`, `nodes` by name, all in `machines` by name.

    A crashed earlier demo in `root` is swept first; `swept` says what was found. `times` are those
    of the term protocol where they are not the default, other fields of node.json are in `fields`.
    `services` are what a node keeps running; without them nothing serves.
    Other keywords are fields of the stand-in's Settings (start_seconds, write_seconds, ...).
    Raises RuntimeError when another demo runs in `root`, or `root` holds what no demo made.
    """

    def __init__(
        self,
        root: Path,
        ports: Ports | None = None,
        telegram_url: str = "",
        times: Mapping[str, float] | None = None,
        fields: Mapping[str, Any] | None = None,
        services: Sequence[str] = ("guard", "fuse"),
        **openclaw: Any,
    ) -> None:
        self.fields = {**(fields or {}), "times": dict(times or {})}
        self.services = services
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = lock_root(self.root)
        try:
            self._build(ports or pick_ports(), telegram_url, openclaw)
        except BaseException:
            self._lock.close()
            raise

    def _build(self, ports: Ports, telegram_url: str, openclaw: dict[str, Any]) -> None:
        self.swept = sweep(self.root)
        remove_earlier(self.root, (T440, *NODES, "ledger"))
        self.ledger = self.root / "ledger"
        self.ledger.mkdir()
        self.ports = ports
        pairs = zip((T440, *NODES), ports, strict=True)
        self.machines = {name: Machine(self.root, name, *both) for name, both in pairs}
        self.t440 = self.machines[T440]
        self.nodes = {name: self.machines[name] for name in NODES}
        self.sources = make_containers(self.t440.home / "containers")
        self._make_keys()
        self._open_doors()
        joe = build(self.root / "joe.pyz")
        for machine in self.machines.values():
            shutil.copy2(joe, self.joe(machine.name))
        for node, machine in self.nodes.items():
            settings = {"node": node, "ledger": str(self.ledger), **openclaw}
            install(machine.home, machine.gateway_port, telegram_url, **settings)
            for service in self.services:
                machine.services[service] = (PYTHON, "-IS", str(self.joe(node)), service)
        for name in self.machines:
            document = json.dumps(self.node_document(name), indent=2)
            self.machines[name].node_file.write_text(document + "\n")

    def joe(self, name: str) -> Path:
        """The node program on a machine."""
        return self.machines[name].home / ".dualjoe" / "joe.pyz"

    def key(self, name: str) -> Path:
        """The private key of a machine: T440's control key, a node's pull key."""
        return self.machines[name].home / ".dualjoe" / ("control" if name == T440 else "pull")

    def answer_key(self, name: str) -> Path:
        """The private key with which a node asks for votes."""
        return self.machines[name].home / ".dualjoe" / "ask"

    def known_hosts(self, name: str) -> Path:
        """The file with the pinned host keys of the other machines."""
        return self.machines[name].home / ".dualjoe" / "known_hosts"

    def workspace(self, name: str, agent: str = AGENTS[0]) -> Path:
        """The folder of an agent's memory on a node."""
        return workspace(self.machines[name].home, agent)

    def _make_keys(self) -> None:
        for name, machine in self.machines.items():
            make_key(machine.etc / "host_key", f"{name} host key")
            purpose = "controls the nodes" if name == T440 else "pulls"
            make_key(self.key(name), f"{name} {purpose}")
            if name != T440:
                make_key(self.answer_key(name), f"{name} asks for votes")
        for name in self.machines:
            lines = [
                f"[127.0.0.1]:{other.ssh_port} {read_public(other.etc / 'host_key')}\n"
                for other in self.machines.values()
            ]
            self.known_hosts(name).write_text("".join(lines))

    def _open_doors(self) -> None:
        """Every machine opens export and answer to the (other) nodes; a node opens rpc to T440."""
        for name, machine in self.machines.items():
            lines = [
                f"{self.door(name, 'export')} {read_public(self.key(node))}"
                for node in NODES
                if node != name
            ]
            lines += [
                f"{self.door(name, f'answer {node}')} {read_public(self.answer_key(node))}"
                for node in NODES
                if node != name
            ]
            if name != T440:
                lines.append(f"{self.door(name, 'rpc')} {read_public(self.key(T440))}")
            (machine.etc / "authorized_keys").write_text("\n".join(lines) + "\n")

    def door(self, name: str, verb: str) -> str:
        """The options of a key on machine `name`: one forced command and, for rpc, one port."""
        command = f'command="{PYTHON} {shlex.quote(str(self.joe(name)))} {verb}"'
        if verb != "rpc":
            return f"restrict,{command}"
        gateway = f'permitopen="127.0.0.1:{self.machines[name].gateway_port}"'
        # Without permitlisten a default sshd lets the key open listeners on the node.
        return f'restrict,port-forwarding,{gateway},permitlisten="127.0.0.1:1",{command}'

    def node_document(self, name: str) -> dict[str, Any]:
        """node.json of one machine."""
        machine = self.machines[name]
        sources = {n: str(p) for n, p in self.sources.items()} if name == T440 else {}
        others = [] if name == T440 else [other for other in self.machines if other != name]
        return {
            "name": name,
            "home": str(machine.home),
            "state": str(machine.state),
            "run": str(machine.run),
            "boot_id_file": str(machine.boot_id_file),
            "supervisor": "none" if name == T440 else "process",
            "nodes": list(NODES),
            "openclaw": [str(machine.home / "bin" / "openclaw")],
            "openclaw_home": str(machine.home / ".openclaw"),
            "gateway_port": machine.gateway_port,
            "peers": {other: self._peer(name, other) for other in others},
            "sources": sources,
            **self.fields,
        }

    def _peer(self, name: str, other: str) -> dict[str, Any]:
        return {
            "address": "127.0.0.1",
            "port": self.machines[other].ssh_port,
            "user": getpass.getuser(),
            "key": str(self.key(name)),
            "known_hosts": str(self.known_hosts(name)),
            "answer_key": str(self.answer_key(name)),
        }

    def site_document(self) -> dict[str, Any]:
        """The site file of T440, as an object."""
        return {
            "site": "joe",
            "preferred": NODES[0],
            "watchdog": {
                "name": T440,
                "state": str(self.t440.state),
                "key": str(self.key(T440)),
                "known_hosts": str(self.known_hosts(T440)),
                "joe": str(self.joe(T440)),
                "node_file": str(self.t440.node_file),
            },
            "nodes": {
                name: {
                    "address": "127.0.0.1",
                    "user": getpass.getuser(),
                    "port": machine.ssh_port,
                    "gateway_port": machine.gateway_port,
                }
                for name, machine in self.nodes.items()
            },
            "containers": list(self.sources),
        }

    def power_on_all(self) -> float:
        """Boot all three at once; return the seconds of the slowest."""
        with ThreadPoolExecutor() as pool:
            return max(pool.map(Machine.power_on, self.machines.values()))

    def close(self) -> None:
        """Cut the power of all three and leave nothing outside `root`; safe to repeat."""
        for machine in self.machines.values():
            machine.power_cut()
        remove_privilege_folder()
        self._lock.close()
