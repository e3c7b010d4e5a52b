"""The table of all backups: container by container, tier by tier. Pure."""

from __future__ import annotations

from typing import Any

from tasks.core.site import Site
from tasks.core.situation import age

HEAD = ("container", "tier", "newest verified", "size", "kept", "refused")


def describe_tiers(site: Site, stores: dict[str, dict[str, Any]]) -> str:
    """Markdown. `stores`: node -> store -> as `store list` says; a node that is away has none."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for container in site.containers:
        for name in (site.preferred, site.other(site.preferred)):
            tier = f"{name} ({'primary' if name == site.preferred else 'DR'})"
            found = stores.get(name)
            about = None if found is None else found.get(f"backup/{container}", {})
            lines.append(_line((container, tier, *_cells(about))))
    return "\n".join(lines) + "\n"


def _cells(about: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if about is None:
        return "not known", "", "", ""
    snapshots, seconds = about.get("snapshots", []), about.get("age_seconds")
    current = [one for one in snapshots if one["id"] == about.get("current")]
    newest = "none" if seconds is None else f"{age(seconds)} old"
    size = in_words(current[0]["bytes"]) if current else ""
    refused = about.get("rejected", [])
    return newest, size, str(len(snapshots)), str(len(refused)) if refused else ""


def in_words(size: float) -> str:
    """Bytes for a reader: 12 kB, 1.5 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
