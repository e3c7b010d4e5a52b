"""What T440 asks each node at every check: cheap, no process spawned, nothing changed."""

from __future__ import annotations

import os
from typing import Any

from .config import NodeConfig
from .errors import NodeError
from .gateway import gateway_pids
from .permit import why_not
from .processes import port_is_open
from .record import load_record


def observe(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> what this machine knows of itself.

    {name, boot_id, record: {epoch, holder}|null, record_error, gateway: {pids, port_open},
    why_not: reason against a start ("" = permitted), memory: {snapshot, age_seconds}|null,
    disk: {free_bytes, free_inodes}}.
    """
    record, record_error = None, ""
    try:
        record = load_record(config)
        reason = why_not(config)
    except NodeError as error:
        record_error = reason = error.message
    return {
        "name": config.name,
        "boot_id": config.boot_id(),
        "record": record._asdict() if record else None,
        "record_error": record_error,
        "gateway": {
            "pids": gateway_pids(config),
            "port_open": port_is_open(config.gateway_port),
        },
        "why_not": reason,
        "memory": newest_memory(config),
        "disk": _disk(config),
    }


def _disk(config: NodeConfig) -> dict[str, int]:
    found = os.statvfs(config.state)
    return {"free_bytes": found.f_bavail * found.f_frsize, "free_inodes": found.f_favail}


def newest_memory(config: NodeConfig) -> Any:
    from .store import newest_verified

    return newest_verified(config, "memory")
