"""Start, stop and kill the OpenClaw gateway of this machine, and prove that it is stopped.

An exit code proves nothing: stopped means that no process of it is left AND its port is closed.
Without systemd this program starts the gateway in a session of its own and finds it again by pid
and start time; whatever else listens on the gateway's port counts as a gateway as well.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .durable import locked, write_json
from .errors import Failed, Refused
from .permit import keep_word, require_permit
from .processes import in_session, listeners, port_is_open, read_stat, send, wait_until


def gateway_file(config: NodeConfig) -> Path:
    return config.run / "gateway.json"


def gateway_pids(config: NodeConfig) -> list[int]:
    """Every process of the gateway: its session, and whoever listens on its port."""
    pids = set(listeners(config.gateway_port))
    with contextlib.suppress(OSError, ValueError, KeyError):
        started = json.loads(gateway_file(config).read_text())
        leader = read_stat(started["pid"])
        reused = leader is not None and leader.started != started["started"]
        if not reused:  # a dead leader may have left children in its session
            pids.update(in_session(started["pid"]))
    return sorted(pids)


def is_serving(config: NodeConfig) -> bool:
    """Whether a gateway runs here, whole or in part: a process of it, or its port open."""
    return bool(gateway_pids(config)) or port_is_open(config.gateway_port)


def gateway_start(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {epoch, other: stopped or unreachable} -> {started, pid}; not started when it runs.

    `other` is T440's word about the other node. Returns at once: whether it serves is for /healthz
    to say. Raises Refused without a permit and when something else holds the port.
    """
    keep_word(config, params.get("epoch"), params.get("other"))
    with locked(config.run / "gateway.lock"):
        require_permit(config)
        pids = gateway_pids(config)
        if pids:
            return {"started": False, "pid": pids[0]}
        if port_is_open(config.gateway_port):
            raise Refused(f"port {config.gateway_port} is taken by another user's process")
        return {"started": True, "pid": _spawn(config)}


def _spawn(config: NodeConfig) -> int:
    argv = (*config.openclaw, "gateway", "run", "--port", str(config.gateway_port))
    config.run.mkdir(parents=True, exist_ok=True)
    try:
        with open(config.state / "gateway.log", "ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=config.home,
                start_new_session=True,
            )
    except OSError as error:
        raise Failed(f"{argv[0]} cannot be started: {error}") from None
    process.returncode = 0  # not ours to wait for: this program ends, and init reaps it
    stat = read_stat(process.pid)
    write_json(
        gateway_file(config), {"pid": process.pid, "started": stat.started if stat else -1}
    )
    return process.pid


def gateway_stop(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {seconds?} -> {stopped: true, how, seconds}: SIGTERM, then SIGKILL after `seconds`.

    `how` is "was not running", "terminated" or "killed". Raises Failed when it is not proven.
    """
    return _stop(config, float(params.get("seconds", config.stop_seconds)))


def gateway_kill(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {stopped: true, how, seconds}: SIGKILL at once. Raises Failed when not proven."""
    return _stop(config, 0.0)


def _stop(config: NodeConfig, grace_seconds: float) -> dict[str, Any]:
    begun = time.monotonic()
    with locked(config.run / "gateway.lock"):
        how = "was not running"
        if is_serving(config) and grace_seconds > 0:
            how = "terminated"
            send(_main_pids(config), signal.SIGTERM)
            wait_until(lambda: not is_serving(config), grace_seconds)
        if is_serving(config):
            how = "killed"
            _kill_until_gone(config)
        if is_serving(config):
            raise Failed(
                f"not stopped: pids {gateway_pids(config) or 'of another user'},"
                f" port {config.gateway_port}"
                f" {'open' if port_is_open(config.gateway_port) else 'closed'}",
                f"end what holds port {config.gateway_port} as its owner",
            )
    return {"stopped": True, "how": how, "seconds": round(time.monotonic() - begun, 3)}


def _kill_until_gone(config: NodeConfig) -> None:
    """SIGKILL again until none is left: a killed parent's child may have forked meanwhile."""

    def gone() -> bool:
        send(gateway_pids(config), signal.SIGKILL)
        return not is_serving(config)

    wait_until(gone, config.stop_seconds)


def _main_pids(config: NodeConfig) -> list[int]:
    """Whom to ask politely: the session's leader, else all that is there (an orphan)."""
    pids = gateway_pids(config)
    stats = [stat for stat in map(read_stat, pids) if stat is not None]
    leaders = [stat.pid for stat in stats if stat.session == stat.pid]
    return leaders or pids
