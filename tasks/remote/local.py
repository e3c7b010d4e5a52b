"""joe.pyz on T440 itself, by the same verbs as on a node."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tasks.core.errors import CommandFailed, Unreachable
from tasks.core.site import Watchdog
from tasks.remote.answer import parse_answer


def call_local(
    watchdog: Watchdog, verb: str, params: dict[str, Any] | None = None, *, seconds: float
) -> dict[str, Any]:
    """Run one verb of joe.pyz here and return its answer; raises as a node's call does."""
    argv = (str(watchdog.python), str(watchdog.joe), *verb.split())
    try:
        done = subprocess.run(
            argv,
            input=json.dumps(params or {}).encode(),
            capture_output=True,
            timeout=seconds,
            env={"DUALJOE_NODE": str(watchdog.node_file), "PATH": "/usr/bin:/bin"},
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(watchdog.name, f"{verb}: no answer within {seconds:g} s") from None
    except OSError as error:
        raise CommandFailed(watchdog.name, f"{verb}: {error}", -1) from None
    return parse_answer(watchdog.name, verb, done.returncode, done.stdout)
