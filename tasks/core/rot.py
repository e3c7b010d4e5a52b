"""What rotted in a store, in sentences for a person. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAMED = 5


def fault_name(fault: dict[str, Any]) -> str:
    """What a fault is the fault of, the same as long as it lasts; safe to show."""
    path = "".join(char if char.isprintable() else "?" for char in str(fault["path"]))
    return path if fault["kind"] == "file" else f"{path} of {' '.join(fault['snapshots'])}"


def fault_line(fault: dict[str, Any]) -> str:
    """One fault as `store scrub` tells it, in words."""
    count = len(fault["snapshots"])
    shared = f" in {count} snapshot{'s' if count != 1 else ''}" if fault["kind"] == "file" else ""
    return f"{fault_name(fault)}{shared} {fault['why']}"


def rot_text(where: str, healed: Sequence[str], left: Sequence[str], count: int) -> str:
    """One sentence: what was healed, and what is good nowhere; `count` are left in all."""
    parts = []
    if healed:
        parts.append(f"{len(healed)} rotted and healed: {_some(healed, len(healed))}")
    if left:
        parts.append(f"{count} rotten and good nowhere that could be reached: {_some(left, count)}")
    return f"Files in {where}: {'. '.join(parts)}"


def _some(lines: Sequence[str], count: int) -> str:
    more = f"; and {count - NAMED} more" if count > NAMED else ""
    return "; ".join(lines[:NAMED]) + more
