"""What T440 asks each node at every check: cheap, no process spawned, nothing changed."""

from __future__ import annotations

import os
from typing import Any

from .clock import boottime
from .config import NodeConfig
from .deadman import note_check
from .errors import NodeError
from .gateway import gateway_pids, is_open, is_serving
from .guard_status import heard, lent, read_status
from .kept import load_state, terms_locked
from .permit import why_not
from .record import record_time


def observe(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {check?} -> what this machine knows of itself; on T440 too.

    `check`: a health check asks, which the guard waits for.

    {name, boot_id, record: {epoch, holder}|null, record_since, record_error, gateway: {pids,
    port_open, serving}, why_not: reason against a start ("" = permitted), memory: {snapshot,
    age_seconds}|null, backups: {source: age of the newest verified one}, disk: {free_bytes,
    free_inodes}, guard: its status file with `age`|null, lent: {to, epoch, left}|null, heard:
    {node: {asked_s, serving_s, epoch, peer_heard_s}}}.

    `heard` is what this machine's voter heard: how long ago the node last asked, and last said that
    it serves (null = never in this boot); `peer_heard_s` is what that node then said about the
    other one. Seconds everywhere; `record_since`, when this machine took over its record, is since
    1970 (null = no record).
    """
    if params.get("check"):
        note_check(config, boottime())
    reason, state, trouble = "", None, ""
    try:
        with terms_locked(config):
            state, trouble = load_state(config)
        reason = why_not(config)
    except (NodeError, OSError) as error:
        trouble = trouble or str(error)
        reason = reason or trouble
    record = state.record if state else None
    pids: list[int] = []
    is_port_open = False
    if config.supervisor != "none":
        pids, is_port_open = gateway_pids(config), is_open(config)
    return {
        "name": config.name,
        "boot_id": config.boot_id(),
        "record": record._asdict() if record else None,
        "record_since": record_time(config),
        "record_error": trouble,
        "gateway": {"pids": pids, "port_open": is_port_open, "serving": is_serving(config)},
        "why_not": reason,
        "memory": newest_memory(config),
        "backups": newest_backups(config),
        "disk": _disk(config),
        "guard": read_status(config),
        "lent": lent(state, boottime()),
        "heard": heard(state, boottime()),
    }


def _disk(config: NodeConfig) -> dict[str, int]:
    found = os.statvfs(config.state)
    return {"free_bytes": found.f_bavail * found.f_frsize, "free_inodes": found.f_favail}


def newest_memory(config: NodeConfig) -> Any:
    from .store import newest_verified

    return newest_verified(config, "memory")


def newest_backups(config: NodeConfig) -> dict[str, float]:
    """Container -> seconds since its newest backup here was verified; one small file each."""
    from .store import newest_verified

    folder = config.stores / "backup"
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    found = {name: newest_verified(config, f"backup/{name}") for name in names}
    return {name: float(one["age_seconds"]) for name, one in found.items() if one}
