"""Dual Joe on the three hosts of a lab, as provisioning leaves it: keys, doors, program, units."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments.build_node import build
from deployments.demo.processes import read_command, send
from tests.lab import cache
from tests.lab.commands import Failed, run
from tests.lab.files import HOME, JOE, LIBRARIES, OWN, SOURCE, as_json, put
from tests.lab.hosts import Host
from tests.lab.lab import Lab
from tests.lab.openclaw import (
    FUSE,
    GUARD,
    PORT,
    REAL,
    STAND_IN,
    UNIT,
    install_real,
    install_stand_in,
)

BINDS = {
    **{cache.PROJECT / name: f"{SOURCE}/{name}" for name in ("deployments", "flows", "tasks")},
    cache.libraries(): LIBRARIES,
}
PREFECT_API = "http://127.0.0.1:4200/api"  # on T440, once a test starts it there
TRIGGER = {
    "api": PREFECT_API,
    "deployment": "health-check/joe",
    "wake": f"{HOME}/prefect/worker-watch.wake",
}
RUN = f"run/user/{cache.UID}/dualjoe"
T440, NODES = "t440", ("pc-a", "pc-b")
MACHINES = (T440, *NODES)
KEYS = {T440: ("control",), "pc-a": ("pull", "answer"), "pc-b": ("pull", "answer")}


class Site:
    """The three hosts of `lab` with everything in place; nothing of it runs yet.

    `real`: the real OpenClaw. Other keywords are the stand-in's settings (start_seconds, ...).
    """

    def __init__(self, lab: Lab, real: bool = False, **openclaw: Any) -> None:
        self.lab = lab
        self.t440, self.pc_a, self.pc_b = (lab.hosts[name] for name in MACHINES)
        self.nodes = {name: lab.hosts[name] for name in NODES}
        program = self._build()
        for name in MACHINES:
            for key in KEYS[name]:
                self._make_key(name, key)
        for name, host in self._hosts():
            put(host, JOE, program, 0o755)
            put(host, f"{OWN}/node.json", as_json(node_document(name, real)))
            put(host, f"{OWN}/known_hosts", self._known_hosts())
            put(host, f"{HOME}/.ssh/authorized_keys", self._doors(name))
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self._install(name, real, openclaw), NODES))

    def _build(self) -> bytes:
        """joe.pyz; several labs may be made at once."""
        target = build(cache.FOLDER / f"joe-{self.lab.pid}.pyz")
        try:
            return target.read_bytes()
        finally:
            target.unlink()

    def _hosts(self) -> list[tuple[str, Host]]:
        return [(name, self.lab.hosts[name]) for name in MACHINES]

    def _install(self, name: str, real: bool, openclaw: dict[str, Any]) -> None:
        if real:
            install_real(self.nodes[name])
        else:
            settings = {"node": name, "start_seconds": 1.0, **openclaw}
            install_stand_in(self.nodes[name], settings)

    def _make_key(self, name: str, key: str) -> None:
        host = self.lab.hosts[name]
        put(host, f"{OWN}/keys/.folder", "")
        file = host.files / f"{OWN}/keys/{key}".lstrip("/")
        run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name} {key}", "-f", str(file)))
        for part in (file, file.with_name(f"{key}.pub")):
            os.chown(part, cache.UID, cache.UID)

    def _public(self, name: str, key: str) -> str:
        file = self.lab.hosts[name].files / f"{OWN}/keys/{key}.pub".lstrip("/")
        return file.read_text().strip()

    def _known_hosts(self) -> str:
        lines = []
        for _, host in self._hosts():
            public = (host.files / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
            lines.append(f"{host.address} {' '.join(public.split()[:2])}\n")
        return "".join(lines)

    def _doors(self, name: str) -> str:
        """authorized_keys: each node may ask for a vote and read exports, T440 may command."""
        lines = []
        for node in NODES:
            if node != name:
                lines.append(f"{door(f'answer {node}')} {self._public(node, 'answer')}")
                lines.append(f"{door('export')} {self._public(node, 'pull')}")
        if name != T440:
            open_to = f'port-forwarding,permitopen="127.0.0.1:{PORT}",permitlisten="127.0.0.1:1"'
            lines.append(f"{door('rpc', open_to)} {self._public(T440, 'control')}")
        return "\n".join(lines) + "\n"

    # What runs

    def write_first_record(self, holder: str = "pc-a") -> None:
        """Who may serve, from T440; the nodes learn it from its answers."""
        self.joe(self.t440, "record write", epoch=1, holder=holder)

    def skip_the_wait_after_boot(self) -> None:
        """Let every vote be free at once; a real machine withholds it for L + C after a boot."""
        for _, host in self._hosts():
            boot = host.run(("cat", "/proc/sys/kernel/random/boot_id")).strip()
            free = {"boot_id": boot, "vote": ["", 0, 0.0], "heard": {}, "missing": []}
            run_folder = f"/{RUN}"
            host.run(("mkdir", "-p", run_folder))
            text = json.dumps({**free, "drain": None, "sole": 0})
            host.run(("sh", "-c", f"cat >{run_folder}/terms.json"), given=text)

    def without_trigger(self) -> None:
        """T440's voter starts no check any more: the schedule alone does."""
        document = {**node_document(T440, real=False), "trigger": None}
        put(self.t440, f"{OWN}/node.json", as_json(document))
        doors = [pid for pid in self.t440.group.pids() if " answer pc-" in read_command(pid)]
        send(doors, signal.SIGKILL)  # the nodes connect anew

    def start_guards(self) -> None:
        """Enable and start guard and fuse on both nodes."""
        for host in self.nodes.values():
            host.run(("systemctl", "--user", "enable", "--now", FUSE, GUARD))

    def joe(self, host: Host, verb: str, timeout: float = 20.0, **params: Any) -> dict[str, Any]:
        """One verb of joe.pyz on a host itself. Raises Failed when it is refused."""
        done = host.ask((JOE, *verb.split()), timeout=timeout, given=json.dumps(params))
        if done.returncode:
            raise Failed(f"{host.name}: {verb}: {done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def record(self, host: Host) -> tuple[int, str] | None:
        """The record on a host's disk, also while its power is off; None when there is none."""
        try:
            raw = json.loads((host.home / ".dualjoe/state/record.json").read_text())
            return int(raw["epoch"]), str(raw["holder"])
        except (OSError, ValueError, KeyError):
            return None

    def note(self, host: Host, name: str) -> dict[str, Any]:
        """A file that the node program keeps in the host's run folder; {} when there is none."""
        try:
            content: dict[str, Any] = json.loads((host.live / RUN / name).read_bytes())
            return content
        except (OSError, ValueError, Failed):
            return {}

    def fault(self, host: Host, name: str, text: str | None = "") -> None:
        """Set a fault of the stand-in gateway; None ends it."""
        place = f"{HOME}/.openclaw/faults/{name}"
        if text is None:
            (host.files / place.lstrip("/")).unlink(missing_ok=True)
        else:
            put(host, place, text)


def node_document(name: str, real: bool) -> dict[str, Any]:
    """node.json of one machine."""
    is_node = name in NODES
    peers = {
        other: {
            "address": address,
            "port": 22,
            "user": cache.USER,
            "key": f"{OWN}/keys/pull",
            "known_hosts": f"{OWN}/known_hosts",
            "answer_key": f"{OWN}/keys/answer",
        }
        for other, address in _addresses().items()
        if is_node and other != name
    }
    return {
        "name": name,
        "home": HOME,
        "state": f"{OWN}/state",
        "run": f"/{RUN}",
        "nodes": list(NODES),
        "supervisor": "systemd" if is_node else "none",
        "openclaw": [REAL if real else STAND_IN],
        "openclaw_home": f"{HOME}/.openclaw",
        "gateway_unit": UNIT,
        "gateway_port": PORT,
        "peers": peers,
        "trigger": None if is_node else TRIGGER,
    }


def _addresses() -> dict[str, str]:
    from tests.lab.network import ADDRESSES

    return {name: ADDRESSES[name] for name in MACHINES}


def door(verb: str, more: str = "") -> str:
    """The options of a key: one forced command, and nothing else but `more`."""
    options = f"restrict,{more}" if more else "restrict"
    return f'{options},command="/usr/bin/python3 -IS {JOE} {verb}"'
