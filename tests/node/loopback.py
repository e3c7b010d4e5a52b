"""Machines for tests: folders with a node.json each, and one real sshd between them."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from deployments.node.config import NodeConfig, Peer
from deployments.node.rpc import answer

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON_PATH = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
RUN = (sys.executable, "-c", "from deployments.node.rpc import main; raise SystemExit(main())")


class Sshd:
    """One sshd on loopback, as the user who runs the tests; each key opens one machine's export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.port = free_port()
        self.keys = folder / "authorized_keys"
        self.keys.touch()
        self.known_hosts = folder / "known_hosts"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        make_key(folder / "host")
        kind, key = (folder / "host.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        self.process = subprocess.Popen(
            ("/usr/sbin/sshd", "-D", "-f", str(self._settings()), "-E", str(folder / "log"))
        )
        wait_until_open(self.port, self.process)

    def _settings(self) -> Path:
        file = self.folder / "sshd_config"
        file.write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.folder}/host\n"
            f"PidFile {self.folder}/pid\nAuthorizedKeysFile {self.keys}\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n"
            "MaxStartups 100\nUseDNS no\n"
            # bash reads .bashrc for a command that sshd runs, unless it is not the first shell:
            # what a developer has in there is no part of what is tested, and takes 0.1 s a time.
            "SetEnv SHLVL=2\n"
        )
        return file

    def admit(self, key: Path, file: Path) -> None:
        """Let this key run the export of the machine that has this node.json, nothing else."""
        words = ("env", f"DUALJOE_NODE={file}", f"PYTHONPATH={PYTHON_PATH}", *RUN, "export")
        command = shlex.join(words).replace('"', '\\"')
        public = key.with_suffix(".pub").read_text()
        with open(self.keys, "a") as stream:
            stream.write(f'restrict,command="{command}" {public}')

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Node:
    """One machine's folder; `rpc` runs a verb in a process of its own, as T440 has it run."""

    def __init__(self, folder: Path, name: str, **fields: Any) -> None:
        self.name, self.folder = name, folder / name
        self.home, self.workspace = self.folder / "home", self.folder / "home/.openclaw/workspace"
        self.file = self.folder / "node.json"
        self.workspace.mkdir(parents=True)
        self.fields: dict[str, Any] = {
            "name": name,
            "home": self.home,
            "state": self.folder / "state",
            "run": self.folder / "run",
            "openclaw_home": self.home / ".openclaw",
            "supervisor": "process",
            "gateway_port": free_port(),
            **fields,
        }
        self.peers: dict[str, Peer] = {}
        self._write()

    @property
    def config(self) -> NodeConfig:
        sources = {name: Path(place) for name, place in self.fields.get("sources", {}).items()}
        return NodeConfig(**{**self.fields, "sources": sources, "peers": self.peers})

    def reach(self, sshd: Sshd, other: Node) -> None:
        """Give this machine the key that opens the other one's export."""
        key = self.folder / f"to-{other.name}"
        make_key(key)
        sshd.admit(key, other.file)
        self.peers[other.name] = Peer(
            "127.0.0.1", sshd.port, getpass.getuser(), key, sshd.known_hosts
        )
        self._write()

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        peers = {name: vars(peer) for name, peer in self.peers.items()}
        self.file.write_text(json.dumps({**self.fields, "peers": peers}, default=_plain))

    def command(self, verb: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """argv and environment of one verb."""
        environment = {"DUALJOE_NODE": str(self.file), "PYTHONPATH": PYTHON_PATH}
        return (*RUN, *verb.split()), {**os.environ, **environment}

    def rpc(self, verb: str, **params: Any) -> dict[str, Any]:
        """One verb; its answer with "exit" added."""
        argv, environment = self.command(verb)
        done = subprocess.run(
            argv, input=json.dumps(params), env=environment, text=True, capture_output=True
        )
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "exit": done.returncode}

    def call(self, verb: str, **params: Any) -> dict[str, Any]:
        """One verb in this process: faster; raises NodeError as the verb does."""
        return answer(self.config, verb, params)

    def pull(self, peer: Node, store: str = "memory", **more: Any) -> dict[str, Any]:
        """Pull the peer's memory (its agent main)."""
        given = {"store": store, "peer": peer.name, "parts": {"main": "memory/main/"}}
        return self.call("store pull", **{**given, **more})

    def publish(self, peer: Node, epoch: int = 1, **more: Any) -> dict[str, Any]:
        """Publish what was pulled of the peer's memory."""
        given = {"store": "memory", "origin": peer.name, "epoch": epoch, "tier": "memory"}
        return self.call("store publish", **{**given, **more})

    def accept(self, rejected: str, reason: str) -> dict[str, Any]:
        """A person takes memory that was refused."""
        return self.call("store accept", store="memory", rejected=rejected, reason=reason)

    def take_in(self, peer: Node, epoch: int = 1, **more: Any) -> dict[str, Any]:
        """A whole sync: pull, publish, apply; the report of apply."""
        self.pull(peer)
        snapshot = self.publish(peer, epoch)["id"]
        return self.call("store apply", store="memory", snapshot=snapshot, peer=peer.name, **more)

    def write(self, path: str, content: str | bytes) -> Path:
        """A file in this machine's workspace."""
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def memory(self) -> dict[str, bytes]:
        """Path from the workspace -> content, links not followed."""
        return read_tree(self.workspace)

    def current(self, store: str = "memory") -> Path:
        """The tree of the store's current snapshot."""
        return self.config.stores / store / "current" / "tree"


def read_tree(root: Path) -> dict[str, bytes]:
    """Path from `root` -> content of each plain file."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }


def _plain(value: Any) -> Any:
    return (
        {key: str(item) for key, item in value.items()} if isinstance(value, dict) else str(value)
    )


def make_key(file: Path) -> None:
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)), check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[bytes], tries: int = 500) -> None:
    """Until somebody listens; raises AssertionError when the process has ended instead."""
    for _ in range(tries):
        assert process.poll() is None, "sshd ended"
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"nothing listens on {port}")


def as_told(staged: dict[str, Any]) -> dict[str, Any]:
    """What `store stage` answered, as a pull is told of it."""
    return {
        "size": {key: staged[key] for key in ("bytes", "files")},
        "states": {"": staged["state"]},
        **{key: staged[key] for key in ("since", "touched", "gone")},
    }


def back_up(
    node: Node, peer: str, export: str, tier: str, staged: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Pull an export of the container oc-core, with its manifest as the check, and publish it.

    `staged`: what `store stage` answered. Returns what was published.
    """
    order = {"store": "backup/oc-core", "peer": peer, "parts": {"": f"{export}/tree"}}
    order |= {"check": f"{export}/manifest.json", **(as_told(staged) if staged else {})}
    order["publish"] = {"origin": "t440", "epoch": 1, "tier": tier}
    published: dict[str, Any] = node.call("store pull", **order)["published"]
    return published
