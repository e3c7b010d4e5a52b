"""What one machine knows about itself: `node.json`, written by provisioning, read by every verb.

JSON and stdlib only: the verbs that run every second must not pay for a YAML parser.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BadInput
from .timing import Timing

DEFAULT_FILE = "~/.dualjoe/node.json"
SUPERVISORS = ("systemd", "process", "none")


@dataclass(frozen=True)
class Peer:
    """How this machine reaches another one: to pull from it, and with `answer_key` to ask its vote.

    Paths are on this machine. A node has an `answer_key` for each of its two voters.
    """

    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    answer_key: Path | None = None


@dataclass(frozen=True)
class Trigger:
    """Where T440's voter asks for a health check at once: Prefect's API and the deployment.

    `auth_file` holds `user:password` when the server asks for one. `wake`: the file that the worker
    of the deployment's pool watches; without one the run waits for the worker's next query.
    """

    api: str
    deployment: str
    auth_file: Path | None = None
    wake: Path | None = None


@dataclass(frozen=True)
class Commands:
    """What runs around the staging of a source, as argv; each may take `seconds`.

    `before` stops writes, or dumps a database; `after` takes that back, whatever happened between.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    seconds: float = 60.0


@dataclass(frozen=True)
class NodeConfig:
    """One machine: its name, folders, gateway and peers.

    `state` survives a power cut (record, stores); `run` does not (it is a tmpfs, or is deleted by
    the demo's power cut). `nodes` are the two machines that can run the gateway. `supervisor` is
    "systemd" (a user unit runs the gateway), "process" (the guard is its parent; the loopback
    demo) or "none" (T440). `sources` are T440's containers by name, `source_commands`
    what runs around the staging of one. `patterns` say which files of
    a workspace are memory, `required_fields` which fields those of a pattern must have. `trigger`
    is T440's alone, and optional. `times` are those of the term protocol (timing.py). `alarm` is a
    command that reads a text and tells it to a person: a node uses it when no health check came
    for `check_silence_seconds`. Seconds everywhere.
    """

    name: str
    home: Path
    state: Path
    run: Path
    nodes: tuple[str, ...] = ()
    boot_id_file: Path = Path("/proc/sys/kernel/random/boot_id")
    supervisor: str = "systemd"
    openclaw: tuple[str, ...] = ("openclaw",)
    openclaw_home: Path = field(default_factory=lambda: Path("~/.openclaw").expanduser())
    gateway_unit: str = "openclaw-gateway.service"
    gateway_port: int = 18789
    stop_seconds: float = 5.0
    restart_grace_seconds: float = 20.0
    restart_pause_seconds: float = 5.0
    times: Timing = field(default_factory=Timing)
    peers: Mapping[str, Peer] = field(default_factory=dict)
    sources: Mapping[str, Path] = field(default_factory=dict)
    source_commands: Mapping[str, Commands] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    required_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trigger: Trigger | None = None
    alarm: tuple[str, ...] = ()
    check_silence_seconds: float = 600.0

    @property
    def stores(self) -> Path:
        """The folder of all stores of this machine: `memory`, `backup/<source>`."""
        return self.state / "stores"

    @property
    def other(self) -> str:
        """The node that is not this one; "" on a machine that is no node."""
        others = [name for name in self.nodes if name != self.name]
        return others[0] if self.is_node and len(others) == 1 else ""

    @property
    def is_node(self) -> bool:
        """Can the gateway run here?"""
        return self.name in self.nodes

    def boot_id(self) -> str:
        """The kernel's name of this boot (the demo injects a file of its own)."""
        return self.boot_id_file.read_text().strip()


def config_file() -> Path:
    """$DUALJOE_NODE or ~/.dualjoe/node.json."""
    return Path(os.environ.get("DUALJOE_NODE") or DEFAULT_FILE).expanduser()


def load_config(file: str | os.PathLike[str] | None = None) -> NodeConfig:
    """Read node.json from `file`, or from where `config_file` says.

    Raises BadInput when it is missing, is not JSON, or has a field that is unknown or absent.
    """
    path = Path(file).expanduser() if file else config_file()
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadInput(f"{path} is missing", "run the provisioning for this machine") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if not isinstance(raw, dict):
        raise BadInput(f"{path} must hold one JSON object")
    return parse_config(raw, str(path))


_PATHS = ("home", "state", "run", "boot_id_file", "openclaw_home")


def parse_config(raw: dict[str, Any], where: str) -> NodeConfig:
    """One JSON object -> NodeConfig; unknown or missing fields are refused by name."""
    values = dict(raw)
    try:
        for key in _PATHS:
            if key in values:
                values[key] = Path(values[key]).expanduser()
        for key in ("openclaw", "patterns", "nodes", "alarm"):
            if key in values:
                values[key] = tuple(values[key])
        values["sources"] = {n: Path(p).expanduser() for n, p in values.get("sources", {}).items()}
        commands = values.get("source_commands", {})
        values["source_commands"] = {n: _parse_commands(c) for n, c in commands.items()}
        values["required_fields"] = _parse_required(values.get("required_fields", {}))
        values["times"] = Timing(**{n: float(s) for n, s in values.get("times", {}).items()})
        values["peers"] = {n: _parse_peer(p) for n, p in values.get("peers", {}).items()}
        values["trigger"] = _parse_trigger(values.get("trigger"))
        config = NodeConfig(**values)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise BadInput(f"{where}: {error}") from None
    if config.supervisor not in SUPERVISORS:
        raise BadInput(
            f'{where}: supervisor is "{config.supervisor}", not one of {", ".join(SUPERVISORS)}'
        )
    return config


def _parse_commands(raw: Mapping[str, Any]) -> Commands:
    values = dict(raw)
    for key in ("before", "after"):
        if not isinstance(values.get(key, []), list):
            raise ValueError(f"source_commands: {key} must be a list of words")
        values[key] = tuple(values.get(key, ()))
    return Commands(**values)


def _parse_required(raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    for pattern, names in raw.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"required_fields: {pattern} must have a list of names")
    return {pattern: tuple(names) for pattern, names in raw.items()}


def _parse_trigger(raw: dict[str, Any] | None) -> Trigger | None:
    if raw is None:
        return None
    files = (raw.get(name) for name in ("auth_file", "wake"))
    auth_file, wake = (None if file is None else Path(file).expanduser() for file in files)
    return Trigger(str(raw["api"]).rstrip("/"), str(raw["deployment"]), auth_file, wake)


def _parse_peer(raw: dict[str, Any]) -> Peer:
    answer_key = raw.get("answer_key")
    return Peer(
        address=str(raw["address"]),
        port=int(raw["port"]),
        user=str(raw["user"]),
        key=Path(raw["key"]).expanduser(),
        known_hosts=Path(raw["known_hosts"]).expanduser(),
        answer_key=None if answer_key is None else Path(answer_key).expanduser(),
    )
