"""Is a gateway running here? And the verbs that end one, with proof.

An exit code proves nothing: stopped means that no process of it is left AND its port is closed.
With systemd its processes are those of the unit's control group; without it those of the session
that the guard started. Whatever else listens on the gateway's port counts as a gateway as well.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .cgroup import group_pids, is_populated, kill_group
from .config import NodeConfig
from .errors import Failed
from .mark import load_mark
from .processes import in_session, listeners, port_is_open, read_stat, send, wait_until

SYSTEMCTL = ("systemctl", "--user", "--no-ask-password")


def is_serving(config: NodeConfig) -> bool:
    """Whether a gateway runs here in whole or in part, or is about to: what a voter must know.

    Cheap: a small file or two and the kernel's list of listeners. The mark stands from the permit
    until a proven stop: with systemd until that has said that the unit is inactive or failed.
    """
    if config.supervisor == "none":
        return False
    if load_mark(config) is not None or is_open(config):
        return True
    if config.supervisor != "systemd" or not is_populated(config.gateway_unit):
        return False
    return not all(map(_only_asks, group_pids(config.gateway_unit)))


def _only_asks(pid: int) -> bool:
    """Is this the unit's ExecCondition=, which has not been permitted anything yet?"""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True  # gone
    asks = len(words) > 3 and words[-3:] == [b"permit", b"start", b""]
    return asks and words[-4].endswith(b"/joe.pyz")


def is_open(config: NodeConfig) -> bool:
    """Whether anything listens on the gateway's port."""
    return port_is_open(config.gateway_port)


def gateway_pids(config: NodeConfig) -> list[int]:
    """Every process of the gateway, and whoever of this user listens on its port."""
    pids = set(listeners(config.gateway_port))
    if config.supervisor == "systemd":
        pids.update(group_pids(config.gateway_unit))
    else:
        mark = load_mark(config)
        if mark is not None and mark.pid and not mark.reused():
            pids.update(in_session(mark.pid))
    return sorted(pids)


def is_gone(config: NodeConfig) -> bool:
    """The proof of a stop: no process, and the port closed."""
    return not is_open(config) and not gateway_pids(config)


def kill_now(config: NodeConfig) -> None:
    """SIGKILL to all of it, without a lock, a process of ours or a wait; safe to repeat."""
    if config.supervisor == "systemd":
        kill_group(config.gateway_unit)
    send(gateway_pids(config), signal.SIGKILL)


def main_pids(config: NodeConfig) -> list[int]:
    """Whom to ask politely: the session's leader, else all that is there (an orphan)."""
    pids = gateway_pids(config)
    stats = [stat for stat in map(read_stat, pids) if stat is not None]
    leaders = [stat.pid for stat in stats if stat.session == stat.pid]
    return leaders or pids


def gateway_stop(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {seconds?} -> {stopped: true, how, seconds}: SIGTERM, then SIGKILL after `seconds`.

    `how` is "was not running", "terminated" or "killed". A guard with a term, and no drain, starts
    it again. Raises Failed when the stop is not proven.
    """
    return _stop(config, float(params.get("seconds", config.stop_seconds)))


def gateway_kill(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {stopped: true, how, seconds}: SIGKILL at once. Raises Failed when not proven."""
    return _stop(config, 0.0)


def _stop(config: NodeConfig, grace_seconds: float) -> dict[str, Any]:
    begun = time.monotonic()
    how = "was not running"
    if not is_gone(config) and grace_seconds > 0:
        how = "terminated"
        _terminate(config)
        wait_until(lambda: is_gone(config), grace_seconds)
    if not is_gone(config):
        how = "killed"
        _kill_until_gone(config)
    if not is_gone(config):
        raise Failed(
            f"not stopped: {what_is_left(config)}",
            f"end what holds port {config.gateway_port} as its owner",
        )
    return {"stopped": True, "how": how, "seconds": round(time.monotonic() - begun, 3)}


def what_is_left(config: NodeConfig) -> str:
    """For a report: the processes, and the port."""
    state = "open" if is_open(config) else "closed"
    owners = gateway_pids(config) or "of another user"
    return f"pids {owners}, port {config.gateway_port} {state}"


def _terminate(config: NodeConfig) -> None:
    if config.supervisor == "systemd":
        call_systemctl("stop", "--no-block", config.gateway_unit)
    else:
        send(main_pids(config), signal.SIGTERM)


def _kill_until_gone(config: NodeConfig) -> None:
    """SIGKILL again until none is left: a killed parent's child may have forked meanwhile."""

    def gone() -> bool:
        kill_now(config)
        return is_gone(config)

    gone()
    if config.supervisor == "systemd":  # or Restart= would have it again
        call_systemctl("stop", "--no-block", config.gateway_unit)
    wait_until(gone, config.stop_seconds)


def call_systemctl(*words: str) -> None:
    """One order to the user's systemd; whether it was carried out is for the kernel to show."""
    try:
        subprocess.run(
            (*SYSTEMCTL, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
