"""joe.pyz on T440 itself, by the same verbs as on a node."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tasks.core.errors import CommandFailed, Unreachable
from tasks.core.site import Watchdog
from tasks.remote.answer import parse_answer
from tasks.remote.line import NoLine
from tasks.remote.local_line import environment, line_of


def call_local(
    watchdog: Watchdog, verb: str, params: dict[str, Any] | None = None, *, seconds: float
) -> dict[str, Any]:
    """Run one verb of joe.pyz here and return its answer; raises as a node's call does.

    A verb that `stay` answers is asked of the one that this process keeps.
    """
    try:
        return line_of(watchdog).ask(verb, params, seconds)
    except NoLine:
        return run_local(watchdog, verb, params, seconds)


def run_local(
    watchdog: Watchdog, verb: str, params: dict[str, Any] | None, seconds: float
) -> dict[str, Any]:
    """The same, by a process for this verb alone."""
    argv = (str(watchdog.python), str(watchdog.joe), *verb.split())
    try:
        done = subprocess.run(
            argv,
            input=json.dumps(params or {}).encode(),
            capture_output=True,
            timeout=seconds,
            env=environment(watchdog),
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(watchdog.name, f"{verb}: no answer within {seconds:g} s") from None
    except OSError as error:
        raise CommandFailed(watchdog.name, f"{verb}: {error}", -1) from None
    return parse_answer(watchdog.name, verb, done.returncode, done.stdout)
