"""The record `{epoch, holder}` on this machine's disk: who may serve. Epochs only grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .config import NodeConfig
from .durable import locked, write_json
from .errors import BadInput, Failed, Refused


class Record(NamedTuple):
    """The node that may serve, and how many moves led there."""

    epoch: int
    holder: str


def record_file(config: NodeConfig) -> Path:
    return config.state / "record.json"


def load_record(config: NodeConfig) -> Record | None:
    """The record on this disk, None when there is none yet.

    Raises Failed when the file is torn, empty or of another shape: the safe reading is "no record".
    """
    path = record_file(config)
    try:
        return parse_record(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Failed(
            f"{path} cannot be read: {error}",
            "remove it: the next check writes the record again",
        ) from None


def parse_record(raw: Any) -> Record:
    """One JSON value -> Record. Raises ValueError when it is not one."""
    if not isinstance(raw, dict) or set(raw) != {"epoch", "holder"}:
        raise ValueError("a record is an object of epoch and holder")
    epoch, holder = raw["epoch"], raw["holder"]
    if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1:
        raise ValueError(f"epoch {epoch!r} is not a whole number from 1")
    if not isinstance(holder, str) or not holder:
        raise ValueError(f"holder {holder!r} is not a name")
    return Record(epoch, holder)


def adopt(config: NodeConfig, new: Record, expect: Record | None = None) -> bool:
    """Write a higher record; True when this disk changed.

    `expect`: the record that was decided on; another one on the disk is refused (compare and swap).
    Raises Refused for a lower epoch and for an equal epoch with another holder.
    """
    with locked(config.state / "record.lock"):
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
        write_json(record_file(config), new._asdict())
        return True


def describe(record: Record | None) -> str:
    return "none" if record is None else f"epoch {record.epoch} for {record.holder}"


def record_read(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {record: {epoch, holder} | null}."""
    record = load_record(config)
    return {"record": record._asdict() if record else None}


def record_write(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {epoch, holder, expect?} -> {record, changed}."""
    raw = dict(params)
    expected = raw.pop("expect", None)
    try:
        new = parse_record(raw)
        expect = None if expected is None else parse_record(expected)
    except ValueError as error:
        raise BadInput(str(error)) from None
    changed = adopt(config, new, expect)
    return {"record": new._asdict(), "changed": changed}
