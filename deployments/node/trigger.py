"""T440's voter starts a health check at once when the holder is lost: the schedule would be later.

It asks Prefect for a run and decides nothing: the check looks for itself. When Prefect is away
nothing breaks, the next check of the schedule does it.
"""

from __future__ import annotations

import contextlib
import json
import os
import syslog
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .clock import boottime
from .config import NodeConfig, Trigger
from .durable import replace_file
from .messages import Ask, State
from .timing import Timing

BETWEEN_SECONDS = 10.0
"""Two checks are not started sooner after each other."""
REQUEST_SECONDS = 5.0
TRY_SECONDS = 10.0
"""Prefect's server is asked again for so long: it answers 503 while its database is busy."""
PAUSE_SECONDS = 0.3


class Told(NamedTuple):
    """What checks were started for: node that asked -> the epoch then; `at`: the last one."""

    epochs: Mapping[str, int] = {}
    at: float = 0.0


def is_due(ask: Ask, state: State, now: float, timing: Timing) -> bool:
    """Does this ask, just noted in `state`, show that the holder is lost?

    The holder says so of itself: its gateway stayed unwell. Or the other node asks, and the holder
    has been heard to serve for H neither by this machine nor by that node. After a boot of this
    machine all ages start at the boot, where its clock starts, too.
    """
    record = state.record
    if record is None:
        return False
    if ask.sender == record.holder:
        return ask.unwell
    heard = state.heard.get(record.holder)
    served = heard.serving_at if heard is not None and heard.serving_at is not None else 0.0
    seen = now - ask.heard_s if ask.heard_s is not None else 0.0
    return now - max(served, seen) >= timing.silence


def note(told: Told, sender: str, epoch: int, due: bool, now: float) -> tuple[Told, bool]:
    """What to remember, and whether to start a check: one for each silence and each illness."""
    if not due:
        return told._replace(epochs={n: e for n, e in told.epochs.items() if n != sender}), False
    if told.epochs.get(sender) == epoch or now < told.at + BETWEEN_SECONDS:
        return told, False
    return Told({**told.epochs, sender: epoch}, now), True


def wants_check(config: NodeConfig, ask: Ask, state: State, now: float) -> bool:
    """Under the lock, after the ask was noted: should a check be started now? It is remembered."""
    if config.trigger is None or state.record is None:
        return False
    file = told_file(config)
    due = is_due(ask, state, now, config.times)
    if not due and not file.exists():
        return False
    old = _load(config, file)
    new, starts = note(old, ask.sender, state.record.epoch, due, now)
    if new != old:
        with contextlib.suppress(OSError):
            _save(config, file, new)
    return starts


def told_file(config: NodeConfig) -> Path:
    return config.run / "checks.json"


def _load(config: NodeConfig, file: Path) -> Told:
    try:
        raw = json.loads(file.read_bytes())
        if raw["boot_id"] == config.boot_id():
            return Told({str(n): int(e) for n, e in raw["epochs"].items()}, float(raw["at"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # unreadable, or of another boot: a check too many does no harm
    return Told()


def _save(config: NodeConfig, file: Path, told: Told) -> None:
    if not told.epochs:
        file.unlink(missing_ok=True)
        return
    content = {"boot_id": config.boot_id(), "epochs": dict(told.epochs), "at": told.at}
    replace_file(file, json.dumps(content).encode())


def start_check(config: NodeConfig) -> threading.Thread | None:
    """Ask Prefect for a run, in a thread: the answers go on meanwhile. None without a trigger."""
    if config.trigger is None:
        return None
    thread = threading.Thread(target=_try_to_start, args=(config.trigger,), daemon=True)
    thread.start()
    return thread


def _try_to_start(trigger: Trigger) -> None:
    key, until = os.urandom(16).hex(), boottime() + TRY_SECONDS
    while True:
        try:
            request_run(trigger, key)
            return
        except (OSError, ValueError, KeyError) as error:
            if boottime() + PAUSE_SECONDS >= until:
                why = f"joe answer: no check could be started, the next is the schedule's: {error}"
                syslog.syslog(syslog.LOG_WARNING, why)
                return
        time.sleep(PAUSE_SECONDS)


def request_run(trigger: Trigger, key: str) -> str:
    """Ask Prefect for one run of the trigger's deployment, and wake its worker; the run's id.

    Asked again with the same `key`, Prefect makes no second run. Raises OSError, ValueError or
    KeyError.
    """
    found = _request(trigger, f"/deployments/name/{trigger.deployment}", None)
    body = {"state": {"type": "SCHEDULED"}, "tags": ["at-once"], "idempotency_key": key}
    run = str(_request(trigger, f"/deployments/{found['id']}/create_flow_run", body)["id"])
    if trigger.wake is not None:
        trigger.wake.touch()
    return run


def _request(trigger: Trigger, path: str, body: Any) -> Any:
    # Only here: a voter that starts no check does not pay for them.
    import base64
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(trigger.api)
    headers = {"Content-Type": "application/json"}
    if trigger.auth_file is not None:
        word = base64.b64encode(trigger.auth_file.read_text().strip().encode()).decode()
        headers["Authorization"] = f"Basic {word}"
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REQUEST_SECONDS)
    try:
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", parts.path + path, content, headers)
        response = connection.getresponse()
        text = response.read()
        if response.status not in (200, 201):
            raise ValueError(f"{trigger.api}{path} answers {response.status}")
        return json.loads(text)
    except http.client.HTTPException as error:
        raise ValueError(f"{trigger.api}{path}: {error!r}") from None
    finally:
        connection.close()
