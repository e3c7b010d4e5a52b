"""What the guard tells about itself: one small file in the run folder, whole for every reader."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .clock import boottime
from .config import NodeConfig
from .durable import replace_file
from .messages import State
from .term import Action
from .term_file import why_no_start

if TYPE_CHECKING:
    from .guard import Guard


def status_file(config: NodeConfig) -> Path:
    return config.run / "guard.json"


class Report:
    """The last turn of the guard in words and numbers; `sentence` changes only with the words."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.granted: dict[str, bool] = {}
        self.sentence = ""
        self.content: dict[str, Any] = {}

    def update(self, guard: Guard, now: float, running: bool, action: Action, why: str) -> None:
        """Take in one turn; `why` is what stood in the way, if anything did."""
        state, holder = guard.state, guard.holder
        file = holder.term_file(now)
        word = _word(guard, now, running, action)
        reason = why
        if not reason and (not running or word in ("stopping", "not stopped")):
            boot_id = holder.boot_id
            reason = why_no_start(self.config.name, state, file, boot_id, now, guard.times)
        elif not reason and word == "unwell":
            reason = f"the gateway is not live: {guard.probe.detail or 'no answer yet'}"
        record = state.record
        self.content = {
            "name": self.config.name,
            "boot_id": holder.boot_id,
            "at": round(now, 3),
            "pid": os.getpid(),
            "state": word,
            "why": reason,
            "epoch": record.epoch if record else None,
            "holder": record.holder if record else None,
            "gateway_runs": running,
            "live": guard.probe.well,
            "unwell_seconds": round(guard.wellness.unwell_seconds(now), 1),
            "term_left": _left(file.until, now),
            "serve_left": _left(file.until - guard.times.margin, now),
            "drained": file.drained,
            "sole": record is not None and state.sole == record.epoch,
            "lent": lent(state, now),
            "heard": heard(state, now),
            "terms": {name: _left(until, now) for name, until in holder.terms.items()},
            "links": {
                link.name: {
                    "answered_s": None
                    if link.answered_at is None
                    else round(now - link.answered_at, 2),
                    "granted": self.granted.get(link.name, False),
                    "trouble": link.trouble,
                }
                for link in guard.links.values()
            },
        }
        about = f" ({record.holder} at epoch {record.epoch})" if record else ""
        steady = word in ("unwell", "not stopped") or not any(c.isdigit() for c in reason)
        self.sentence = f"{word}{about}" + (f": {reason}" if reason and steady else "")


def _word(guard: Guard, now: float, running: bool, action: Action) -> str:
    """serving, starting, unwell, draining, stopping or not stopped; standby or waiting if not."""
    unwell = guard.wellness.is_unwell(now)
    if not running:
        waits = "unwell" if unwell else "waiting"  # it crashes again and again
        return waits if guard.state.names(guard.config.name) else "standby"
    if guard.may_serve(now) and action is not Action.KILL:
        if guard.holder.term_file(now).drained:
            return "draining"
        if guard.probe.well:
            return "serving"
        return "unwell" if unwell else "starting"
    return "not stopped" if action is Action.KILL and guard.kills > 4 else "stopping"


def _left(until: float, now: float) -> float:
    return round(max(0.0, until - now), 2)


def lent(state: State | None, now: float) -> dict[str, Any] | None:
    """To whom this machine's vote is lent: {to, epoch, left}; None when it is free."""
    if state is None or not state.vote.to or now >= state.vote.until:
        return None
    vote = state.vote
    return {"to": vote.to, "epoch": vote.epoch, "left": _left(vote.until, now)}


def heard(state: State | None, now: float) -> dict[str, Any]:
    """Node -> {asked_s, serving_s, epoch, peer_heard_s} from the last ask of each node."""
    return {
        name: {
            "asked_s": round(now - one.at, 2),
            "serving_s": None if one.serving_at is None else round(now - one.serving_at, 2),
            "epoch": one.record.epoch if one.record else None,
            "peer_heard_s": one.peer_heard_s,
        }
        for name, one in (state.heard if state else {}).items()
    }


def write_report(config: NodeConfig, report: Report) -> None:
    """Raises OSError."""
    replace_file(status_file(config), json.dumps(report.content).encode())


def read_status(config: NodeConfig) -> dict[str, Any] | None:
    """The guard's last report with its `age` in seconds; None when there is none of this boot."""
    try:
        content = json.loads(status_file(config).read_bytes())
        if content["boot_id"] != config.boot_id():
            return None
        return {**content, "age": round(max(0.0, boottime() - content["at"]), 2)}
    except (OSError, ValueError, KeyError, TypeError):
        return None
