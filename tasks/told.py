"""What a person was told last of a topic: what is still so is not told again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tasks.core.site import Site
from tasks.files import replace_file
from tasks.locks import locked


def exchange(site: Site, topic: str, lines: Sequence[str]) -> list[str]:
    """Remember `lines` as what is so now; returns what was so before, [] when nothing was.

    A file that is torn or missing means that nothing was told: a person hears it once more.
    """
    file = site.watchdog.state / "told.json"
    with locked(site.watchdog.state / "told.lock"):
        try:
            known: dict[str, list[str]] = dict(json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            known = {}
        before = list(known.get(topic, []))
        if list(lines) != before:
            known[topic] = list(lines)
            replace_file(file, json.dumps({name: now for name, now in known.items() if now}))
    return before


def news(site: Site, topic: str, lines: Sequence[str]) -> tuple[list[str], bool]:
    """(those of `lines` that were not so before, whether something was so and nothing is now)."""
    before = exchange(site, topic, lines)
    return [line for line in lines if line not in before], bool(before) and not lines
