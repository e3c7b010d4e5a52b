"""How much of whose memory is carried, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def covered(agents: Mapping[str, Mapping[str, Any]]) -> str:
    """`memory list`'s agents -> "main 12 files, work 1 file; none of notes"."""
    counts = {name: int(agent["files"]) for name, agent in agents.items()}
    some = [
        f"{name} {count} file" if count == 1 else f"{name} {count} files"
        for name, count in counts.items()
        if count
    ]
    none = [name for name, count in counts.items() if not count]
    parts = [", ".join(some)] if some else []
    return "; ".join([*parts, *([f"none of {' and '.join(none)}"] if none else [])]) or "no agent"
