"""What the term protocol keeps on this machine, all of it under one lock.

The record is in the state folder and survives a power cut (record.py). The vote, who was heard, a
drain and a lost record's wait are in `terms.json` in the run folder, with the boot they belong to:
without that file, or with one of another boot, the vote counts as lent.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .clock import boottime
from .config import NodeConfig
from .durable import locked, replace_file
from .errors import Failed
from .messages import Drain, Heard, Record, State, Vote
from .record import load_record, parse_record, record_lock, store_record
from .term import Voter
from .term_file import TermFile

LOCK_SECONDS = 2.0
"""Whoever holds the lock writes two small files; one who holds it for longer stands still."""


def terms_file(config: NodeConfig) -> Path:
    return config.run / "terms.json"


def term_file(config: NodeConfig) -> Path:
    """Where the guard leaves its TermFile for the fuse and for `permit`."""
    return config.run / "term.json"


@contextlib.contextmanager
def terms_locked(config: NodeConfig) -> Iterator[None]:
    """The machine's one lock. Raises Failed when it is not free within LOCK_SECONDS."""
    with locked(record_lock(config), LOCK_SECONDS):
        yield


def load_state(config: NodeConfig) -> tuple[State, str]:
    """Under the lock: the state, and one line about a record that is there but cannot be used.

    Such a record counts as none: this machine lends no vote and serves nothing until it has
    adopted a readable one.
    """
    record, trouble = None, ""
    try:
        record = load_record(config)
    except Failed as error:
        trouble = f"{error.message}: {error.remedy}"
    state = _load_kept(config) or _after_boot(config)
    missing = state.missing
    if record is not None or config.is_node:
        missing = frozenset()
    elif not missing:  # only T440 makes records, so its own may be older than it knows
        missing = frozenset(config.nodes)
    return state._replace(record=record, missing=missing), trouble


def save_state(config: NodeConfig, old: State, new: State) -> None:
    """Under the lock: write what changed, the record first. Raises OSError on a full disk."""
    if new.record is not None and new.record != old.record:
        store_record(config, new.record)
    if new._replace(record=None) != old._replace(record=None):
        _write_kept(config, new)


def _after_boot(config: NodeConfig) -> State:
    state = State(None, Voter(config.name, config.times).boot_vote(boottime()))
    _write_kept(config, state)  # or the wait would begin anew with each look
    return state


def _write_kept(config: NodeConfig, state: State) -> None:
    heard = {
        name: [one.at, one.serving_at, one.record and one.record._asdict(), one.peer_heard_s]
        for name, one in state.heard.items()
    }
    kept = {
        "boot_id": config.boot_id(),
        "vote": state.vote,
        "heard": heard,
        "missing": sorted(state.missing),
        "drain": state.drain,
        "sole": state.sole,
    }
    replace_file(terms_file(config), json.dumps(kept).encode())


def _load_kept(config: NodeConfig) -> State | None:
    """The file of this boot; None when there is none, or it is not what this program writes."""
    try:
        raw = json.loads(terms_file(config).read_bytes())
        if raw["boot_id"] != config.boot_id():
            return None
        return State(
            record=None,
            vote=Vote(str(raw["vote"][0]), int(raw["vote"][1]), float(raw["vote"][2])),
            heard={name: _parse_heard(one) for name, one in raw["heard"].items()},
            missing=frozenset(raw["missing"]),
            drain=None if raw["drain"] is None else Drain(*raw["drain"]),
            sole=int(raw["sole"]),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _parse_heard(raw: Any) -> Heard:
    at, serving_at, record, peer_heard_s = raw
    return Heard(float(at), serving_at, record and parse_record(record), peer_heard_s)


def write_term_file(config: NodeConfig, file: TermFile) -> None:
    """Leave what this guard has been granted. Raises OSError."""
    replace_file(term_file(config), json.dumps(file._asdict()).encode())


def load_term_file(config: NodeConfig) -> TermFile | None:
    """What the guard left; None when there is nothing readable, which means: no term."""
    try:
        raw = json.loads(term_file(config).read_bytes())
        return TermFile(
            str(raw["boot_id"]),
            int(raw["epoch"]),
            float(raw["until"]),
            float(raw["serve_until"]),
            bool(raw["drained"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def highest_epoch(state: State) -> int:
    """The highest epoch that this machine has ever heard of; 0 when of none."""
    heard: list[Record | None] = [one.record for one in state.heard.values()]
    return max([one.epoch for one in (*heard, state.record) if one is not None], default=0)
