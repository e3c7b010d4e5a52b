"""Asks and answers as the machines send them: one JSON object a line, every field checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from .messages import Answer, Ask, Record

VERSION = 1
MAX_LINE = 1000
"""Characters; an ask has about 200. A longer line is not read as JSON at all."""


def ask_line(ask: Ask) -> str:
    """One ask -> its line, without the newline."""
    return _line(ask.sender, ask._asdict(), ask.record)


def answer_line(answer: Answer) -> str:
    """One answer -> its line, without the newline."""
    return _line(answer.sender, answer._asdict(), answer.record)


def parse_ask(line: str) -> Ask:
    """One line -> the ask. Raises ValueError, with the reason, when it is not one."""
    raw = _fields(line, {**_SHARED, **_ASK})
    return Ask(
        *(raw["from"], raw["boot_id"], raw["t"], _record(raw)),
        *(raw["want"], raw["serving"], raw["heard_s"], raw["sole"], raw["unwell"]),
    )


def refusal_line(why: str) -> str:
    """What a voter sends when it can neither read nor write its state: no vote, and why."""
    return json.dumps({"v": VERSION, "error": why[:300]}, separators=(",", ":"))


def parse_answer(line: str) -> Answer:
    """One line -> the answer.

    Raises ValueError, with the reason, when it is not one; a refusal's reason is the voter's own.
    """
    raw = _fields(line, {**_SHARED, "granted": _flag, "drain": _flag})
    return Answer(
        *(raw["from"], raw["boot_id"], raw["t"], _record(raw)),
        *(raw["granted"], raw["serving"], raw["drain"]),
    )


def _line(sender: str, said: dict[str, Any], record: Record | None) -> str:
    del said["sender"], said["record"]
    epoch, holder = record if record is not None else (0, "")
    whole = {"v": VERSION, "from": sender, "epoch": epoch, "holder": holder, **said}
    return json.dumps(whole, separators=(",", ":"), allow_nan=False)


def _fields(line: str, checks: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of {len(line)} characters, more than {MAX_LINE}")
    try:
        raw = json.loads(line)
    except RecursionError:
        raise ValueError("a line nested too deep") from None
    if not isinstance(raw, dict) or raw.get("v") != VERSION:
        raise ValueError(f"not an object of version {VERSION}")
    if isinstance(raw.get("error"), str):
        raise ValueError(raw["error"])
    if set(raw) != {"v", *checks}:
        raise ValueError(f"fields that differ: {sorted(set(raw) ^ {'v', *checks})}")
    for name, is_right in checks.items():
        if not is_right(raw[name]):
            raise ValueError(f"{name} {raw[name]!r} is not right")
    if (raw["epoch"] == 0) != (raw["holder"] == ""):
        raise ValueError("an epoch and a holder come together")
    return raw


def _record(raw: Mapping[str, Any]) -> Record | None:
    return Record(raw["epoch"], raw["holder"]) if raw["epoch"] else None


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100


def _name_or_none(value: Any) -> bool:
    return value == "" or _name(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _epoch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _seconds(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


def _seconds_or_none(value: Any) -> bool:
    return value is None or _seconds(value)


_SHARED: dict[str, Callable[[Any], bool]] = {
    "from": _name,
    "boot_id": _name,
    "t": _seconds,
    "epoch": _epoch,
    "holder": _name_or_none,
    "serving": _flag,
}
_ASK: dict[str, Callable[[Any], bool]] = {
    "want": _flag,
    "heard_s": _seconds_or_none,
    "sole": _flag,
    "unwell": _flag,
}
