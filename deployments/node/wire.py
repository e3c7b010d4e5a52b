"""Asks and answers as the one line of JSON each that goes through ssh, and what a line may hold."""

from __future__ import annotations

import json
from typing import Any

from .messages import Answer, Ask, Record

VERSION = 1
MAX_LINE = 4096
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


def write_ask(ask: Ask) -> bytes:
    """{v, from, boot_id, t, epoch, holder, want, serving, heard_s, sole}, one line."""
    return _line(
        {
            **_head(ask.sender, ask.boot_id, ask.t, ask.record),
            "want": ask.want,
            "serving": ask.serving,
            "heard_s": ask.heard_s,
            "sole": ask.sole,
        }
    )


def read_ask(line: bytes, nodes: tuple[str, ...]) -> Ask:
    """One line -> Ask. Raises ValueError with what is wrong."""
    raw = _object(line)
    heard = raw.get("heard_s")
    return Ask(
        *_read_head(raw, nodes),
        want=_flag(raw, "want"),
        serving=_flag(raw, "serving"),
        heard_s=None if heard is None else _number(raw, "heard_s"),
        sole=_flag(raw, "sole"),
    )


def write_answer(answer: Answer) -> bytes:
    """{v, from, boot_id, t, epoch, holder, granted, serving, drain}, one line."""
    return _line(
        {
            **_head(answer.sender, answer.boot_id, answer.t, answer.record),
            "granted": answer.granted,
            "serving": answer.serving,
            "drain": answer.drain,
        }
    )


def write_refusal(why: str) -> bytes:
    """What a voter says instead when it can neither read nor write its state: no vote, and why."""
    return _line({"v": VERSION, "error": why[:300]})


def read_answer(line: bytes, nodes: tuple[str, ...]) -> Answer:
    """One line -> Answer. Raises ValueError with what is wrong, or with the voter's own words."""
    raw = _object(line)
    if isinstance(raw.get("error"), str):
        raise ValueError(raw["error"])
    return Answer(
        *_read_head(raw, nodes),
        granted=_flag(raw, "granted"),
        serving=_flag(raw, "serving"),
        drain=_flag(raw, "drain"),
    )


def _head(sender: str, boot_id: str, t: float, record: Record | None) -> dict[str, Any]:
    epoch, holder = record if record is not None else (0, "")
    head = {"v": VERSION, "from": sender, "boot_id": boot_id, "t": t}
    return {**head, "epoch": epoch, "holder": holder}


def _read_head(
    raw: dict[str, Any], nodes: tuple[str, ...]
) -> tuple[str, str, float, Record | None]:
    record = None
    if raw.get("epoch") != 0:
        pair = {"epoch": raw.get("epoch"), "holder": raw.get("holder")}
        record = parse_record(pair, nodes)
    return _text(raw, "from"), _text(raw, "boot_id"), _number(raw, "t"), record


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of more than {MAX_LINE} bytes")
    try:
        raw = json.loads(line)
    except RecursionError:
        raise ValueError("too deeply nested") from None
    if not isinstance(raw, dict) or raw.get("v") != VERSION:
        raise ValueError(f"not an object of version {VERSION}: {line[:80]!r}")
    return raw


def _flag(raw: dict[str, Any], key: str) -> bool:
    if not isinstance(raw.get(key), bool):
        raise ValueError(f"{key} must be true or false")
    return bool(raw[key])


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ValueError(f"{key} must be a name")
    return value


def _number(raw: dict[str, Any], key: str) -> float:
    value = raw.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise ValueError(f"{key} must be a number of seconds")
    return float(value)
