"""The record `{epoch, holder}` on this machine's disk: who may serve. Epochs only grow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .durable import locked, write_json
from .errors import BadInput, Failed, Refused
from .messages import Record as Record
from .messages import next_record, trust_heard

MAX_EPOCH = 10**12
"""A promotion a second for thirty thousand years: what is above it is no epoch but a fault."""


def parse_record(raw: Any, nodes: tuple[str, ...] = ()) -> Record:
    """{epoch, holder} -> Record; the holder is one of `nodes` where they are known.

    Raises ValueError when it is not one.
    """
    if not isinstance(raw, dict) or set(raw) != {"epoch", "holder"}:
        raise ValueError("a record is an object of epoch and holder")
    epoch, holder = raw["epoch"], raw["holder"]
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch <= MAX_EPOCH:
        raise ValueError(f"epoch {epoch!r} is not a whole number from 1 to {MAX_EPOCH}")
    if not isinstance(holder, str) or not holder:
        raise ValueError(f"holder {holder!r} is not a name")
    if nodes and holder not in nodes:
        raise ValueError(f"holder {holder!r} is none of the nodes {', '.join(nodes)}")
    return Record(epoch, holder)


def record_file(config: NodeConfig) -> Path:
    return config.state / "record.json"


def record_time(config: NodeConfig) -> float | None:
    """When this machine took over its record, seconds since 1970; None when it has no record."""
    try:
        return record_file(config).stat().st_mtime
    except OSError:
        return None


def record_lock(config: NodeConfig) -> Path:
    """The machine's one lock: it also guards the vote (kept.py)."""
    return config.state / "record.lock"


def load_record(config: NodeConfig) -> Record | None:
    """The record on this disk, None when there is none yet.

    Raises Failed when the file is torn, empty, of another shape, about a node that is none, or
    another user's: the safe reading is "no record".
    """
    path = record_file(config)
    remedy = "remove it: this machine then takes over the record of the others"
    try:
        with open(path, "rb") as stream:
            owner = os.fstat(stream.fileno()).st_uid
            text = stream.read()
        if owner != os.geteuid():
            raise ValueError(f"it belongs to user {owner}, not to {os.geteuid()}")
        return parse_record(json.loads(text), config.nodes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Failed(f"the record {path} cannot be used: {error}", remedy) from None


def store_record(config: NodeConfig, record: Record) -> None:
    """Under the lock: put the record on the disk. Raises OSError on a full disk."""
    write_json(record_file(config), record._asdict())


def adopt(config: NodeConfig, new: Record, expect: Record | None = None) -> bool:
    """Write a higher record; True when this disk changed.

    `expect`: the record that was decided on; another one on the disk is refused (compare and swap).
    Raises Refused for a lower epoch and for an equal epoch with another holder.
    """
    with locked(record_lock(config)):
        try:
            old = load_record(config)
        except Failed:
            old = None  # torn: a readable record from T440 is better than none
        if expect is not None and old != expect:
            raise Refused(f"the record here is {describe(old)}, not {describe(expect)}")
        if old == new:
            return False
        if old is not None and new.epoch <= old.epoch:
            raise Refused(f"the record here is {describe(old)}; {describe(new)} is not newer")
        store_record(config, new)
        return True


def describe(record: Record | None) -> str:
    return "none" if record is None else f"epoch {record.epoch} for {record.holder}"


def record_read(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {record: {epoch, holder} | null, since: seconds since 1970 | null}.

    `since` is when this machine took it over.
    """
    record, since = load_record(config), record_time(config)
    return {"record": record._asdict() if record else None, "since": since}


def record_write(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {epoch?, holder, expect?} -> {record, changed}.

    Without an epoch (T440's moves) it is one above the highest that this machine ever heard of;
    `expect`, the record that was decided on (null = none), is needed then. Raises Refused when the
    record is another one by now, when it is not newer, and for a lost record that T440 waits for.
    """
    raw = dict(params)
    expected = raw.pop("expect", None)
    try:
        expect = None if expected is None else parse_record(expected, config.nodes)
        if "epoch" not in raw:
            parse_record({**raw, "epoch": 1}, config.nodes)  # the holder's name, before the lock
            new = _write_next(config, expect, raw["holder"])
            return {"record": new._asdict(), "changed": True}
        new = parse_record(raw, config.nodes)
    except ValueError as error:
        raise BadInput(str(error)) from None
    changed = adopt(config, new, expect)
    return {"record": new._asdict(), "changed": changed}


def _write_next(config: NodeConfig, expect: Record | None, holder: str) -> Record:
    from .kept import load_state, save_state, terms_locked

    with terms_locked(config):
        state, trouble = load_state(config)
        new = next_record(state, expect, holder)
        if new is None and state.missing:
            lost = trouble or "the record of this machine is lost"
            raise Refused(f"{lost}; {', '.join(sorted(state.missing))} must ask first")
        if new is None:
            raise Refused(f"the record here is {describe(state.record)}, not {describe(expect)}")
        save_state(config, state, state._replace(record=new))
    return new


def record_trust(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb, by hand: {} -> {record}: T440 stops waiting for nodes after the loss of its record.

    It takes over the highest record that it has heard of. Only when the node that has not asked is
    off: a higher record of that node would be forgotten.
    """
    from .kept import load_state, save_state, terms_locked

    with terms_locked(config):
        state, _ = load_state(config)
        trusted = trust_heard(state)
        save_state(config, state, trusted)
    return {"record": trusted.record._asdict() if trusted.record else None}
