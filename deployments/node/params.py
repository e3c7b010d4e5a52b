"""Reading a verb's parameters: what is missing or malformed is refused by name."""

from __future__ import annotations

import re
from typing import Any

from .errors import BadInput

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
SNAPSHOT = r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}"
STORE = rf"memory|backup/{NAME}"


def _matching(params: dict[str, Any], key: str, pattern: str, what: str) -> str:
    value = params.get(key)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise BadInput(f'"{key}" must be {what}, not {value!r}'[:200])
    return value


def name(params: dict[str, Any], key: str) -> str:
    """A machine's or a source's name."""
    return _matching(params, key, NAME, "a name of letters, digits, - and _")


def store(params: dict[str, Any], key: str = "store") -> str:
    """`memory` or `backup/<source>`."""
    return _matching(params, key, STORE, '"memory" or "backup/<source>"')


def snapshot(params: dict[str, Any], key: str) -> str:
    """The id of a snapshot."""
    return _matching(params, key, SNAPSHOT, "a snapshot's id")


def optional_snapshot(params: dict[str, Any], key: str) -> str | None:
    """The id of a snapshot, or None when it is absent or null."""
    return None if params.get(key) is None else snapshot(params, key)


def text(params: dict[str, Any], key: str) -> str:
    """A text that is not empty, or "" when it is absent."""
    value = params.get(key, "")
    if not isinstance(value, str) or len(value) > 1000:
        raise BadInput(f'"{key}" must be text of at most 1000 characters')
    return value


def paths(params: dict[str, Any], key: str) -> list[str]:
    """A list of texts, [] when it is absent."""
    value = params.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadInput(f'"{key}" must be a list of paths')
    return value


def mapping(params: dict[str, Any], key: str) -> dict[str, str]:
    """Names with a text each, {} when it is absent."""
    value = params.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise BadInput(f'"{key}" must be names with a text each')
    return value


def optional_object(params: dict[str, Any], key: str, what: str) -> dict[str, Any] | None:
    """An object, or None when it is absent or null; `what` says what is in it."""
    value = params.get(key)
    if value is not None and not isinstance(value, dict):
        raise BadInput(f'"{key}" must be {what}')
    return value


def integer(params: dict[str, Any], key: str) -> int:
    """A whole number that is not negative."""
    value = params.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(f'"{key}" must be a whole number >= 0, not {value!r}'[:200])
    return value


def seconds(params: dict[str, Any], key: str, default: float, largest: float) -> float:
    """A time in seconds between 1 and `largest`."""
    value = params.get(key, default)
    if not isinstance(value, (int, float)) or not 1 <= value <= largest:
        raise BadInput(f'"{key}" must be between 1 and {largest:g} seconds, not {value!r}'[:200])
    return float(value)


def flag(params: dict[str, Any], key: str) -> bool:
    """True or false; false when it is absent."""
    value = params.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f'"{key}" must be true or false')
    return value
