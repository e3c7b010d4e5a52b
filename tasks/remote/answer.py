"""What a machine answered to a verb: one line of JSON and an exit status, never trusted blindly."""

from __future__ import annotations

import json
from typing import Any

from tasks.core.errors import CommandFailed, Refused

MAX_MESSAGE_CHARS = 500


def parse_answer(name: str, verb: str, status: int, output: bytes) -> dict[str, Any]:
    """One line of JSON and an exit status -> the answer. Raises Refused or CommandFailed."""
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        shown = printable(output.decode(errors="replace"))
        raise CommandFailed(name, f"{verb}: not an answer (exit {status}): {shown!r}", status)
    if status == 0:
        return answer
    parts = (str(answer.get(part) or "") for part in ("message", "remedy"))
    message = printable("; ".join(part for part in parts if part))
    if answer.get("error") == "refused":
        raise Refused(f"{name}: {message}")
    raise CommandFailed(name, f"{verb}: {message}", status)


def printable(text: str) -> str:
    """What a node sent, safe to show: no control codes, bounded."""
    clean = "".join(char if char.isprintable() else " " for char in text[:MAX_MESSAGE_CHARS])
    return clean.strip()
