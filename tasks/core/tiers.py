"""The table of all backups: source by source, tier by tier. Pure."""

from __future__ import annotations

from typing import Any

from tasks.core.site import Site
from tasks.core.situation import age

HEAD = ("source", "tier", "newest verified", "size", "kept", "refused", "rotten", "last drill")


def describe_tiers(site: Site, stores: dict[str, dict[str, Any]], now: float) -> str:
    """Markdown. `now`: seconds since 1970.

    `stores`: node -> store -> as `store list` says; a node that is away has none.
    """
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for source in site.sources:
        for name in (site.preferred, site.other(site.preferred)):
            tier = f"{name} ({'primary' if name == site.preferred else 'DR'})"
            found = stores.get(name)
            about = None if found is None else found.get(f"backup/{source}", {})
            lines.append(_line((source, tier, *_cells(about, now))))
    return "\n".join(lines) + "\n"


def _cells(about: dict[str, Any] | None, now: float) -> tuple[str, ...]:
    if about is None:
        return "not known", "", "", "", "", ""
    snapshots, seconds = about.get("snapshots", []), about.get("age_seconds")
    current = [one for one in snapshots if one["id"] == about.get("current")]
    newest = "none" if seconds is None else f"{age(seconds)} old"
    size = in_words(current[0]["bytes"]) if current else ""
    refused = about.get("rejected", [])
    drill = about.get("drill") or {}
    verdict = f"{len(drill['wrong'])} wrong" if drill.get("wrong") else "good"
    told = f"{verdict}, {age(max(0.0, now - drill['time']))} ago" if drill else ""
    counts = (str(len(refused) or ""), str(about.get("rotten") or ""))
    return newest, size, str(len(snapshots)), *counts, told


def in_words(size: float) -> str:
    """Bytes for a reader: 12 kB, 1.5 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
