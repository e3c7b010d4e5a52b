"""The one screen: who serves since when, what is held back, and who could take over and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tasks.core.pause import effect
from tasks.core.situation import (
    Situation,
    age,
    failback_by_hand,
    latched,
    two_failovers_already,
    why_not_promotable,
)
from tasks.core.state import Observation

SEEN = "Seen "
"""So begins the line with the time, which is no part of what is said."""
_AGE = re.compile(r"\b\d+(?:\.\d+)? (?:s|min)\b")


@dataclass(frozen=True)
class Asked:
    """What only a run of `status` asks for, since it takes time.

    `votes`: a sentence a machine, of its vote. `memory`: whose memory is carried, in words; ""
    when the holder does not answer. `stores`: node -> store -> {age_seconds: of the
    newest verified snapshot, null when there is none; snapshots: a list}.
    """

    votes: tuple[str, ...]
    stores: dict[str, dict[str, Any]]
    memory: str = ""


def describe(s: Situation, headline: str, asked: Asked | None = None) -> str:
    """The screen, as markdown that reads well as plain text, too.

    `headline`: what is the matter, one sentence. Without `asked`: what every check knows.
    """
    lines = [
        f"# {headline}",
        "",
        f"- record: {describe_record(s)}",
        f"- could {s.other.node} take over now: {describe_other(s)}",
        f"- paused or latched: {'; '.join(held_back(s)) or 'nothing'}",
        *(f"- {describe_node(s, seen)}" for seen in s.observations.values()),
    ]
    if asked is not None:
        carried = f"- memory of {s.record.holder} that is carried: {asked.memory or 'not known'}"
        lines += [*(f"- {vote}" for vote in asked.votes), carried, "", *table(s, asked.stores)]
    return "\n".join(lines) + "\n"


def stamped(text: str, wall: float) -> str:
    """The screen with the time at which it was true, as it is kept for later."""
    return f"{text}\n{SEEN}{moment(wall)}; written again when something changes.\n"


def is_same(one: str, two: str) -> bool:
    """Whether two screens say the same: neither when it was seen nor an age below 2 h counts."""
    return _gist(one) == _gist(two)


def _gist(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith(SEEN)]
    return re.sub(r" +", " ", _AGE.sub("a while", "\n".join(lines))).strip()


def describe_record(s: Situation) -> str:
    """Whom the record names, since when T440's does, and after how many moves."""
    since = "a time unknown" if s.record_since is None else moment(s.record_since)
    moves = ", no move yet" if s.record.epoch == 1 else ""
    preferred = "" if s.record.holder == s.site.preferred else f"; preferred is {s.site.preferred}"
    return f"{s.record.holder} since {since}, epoch {s.record.epoch}{moves}{preferred}"


def describe_other(s: Situation) -> str:
    """Whether the node that does not hold the record could take over, and why."""
    if why := why_not_promotable(s, s.other):
        return f"no: {why}"
    return "yes: it answers, its guard asks, and its memory is new enough"


def held_back(s: Situation) -> list[str]:
    """What does not happen by itself now, and who could change that; [] when all does."""
    limit, held = age(s.site.times.latch_seconds), list[str]()
    if s.pause is not None:
        held.append(f"{s.pause.said}: {effect(s.pause)}")
    if latched(s):
        held.append(f"latched, two failovers within {limit}: no failback until acknowledged")
    if two_failovers_already(s):
        held.append(f"no third failover within {limit}, acknowledge to allow it")
    if failback_by_hand(s):
        held.append("failback is by hand, by the site file")
    return held


def describe_node(s: Situation, seen: Observation) -> str:
    """A node in one line; of the holder's memory nothing, for it is the one in use."""
    detail = f" ({seen.detail})" if seen.detail else ""
    memory = "" if seen.node == s.record.holder else describe_memory(s, seen)
    signals = f"ssh {seen.ssh}, healthz {seen.healthz}"
    return f"{seen.node}: {s.standing(seen)}, {signals}{memory}{detail}"


def describe_memory(s: Situation, seen: Observation) -> str:
    """How old the newest verified memory on a node is, in words; "" when it cannot be asked."""
    times, seconds = s.site.times, seen.memory_age_seconds
    if seen.gateway_runs is None:
        return ""
    if seconds is None:
        return ", no verified memory"
    if seconds <= times.memory_warn_seconds:
        return f", memory fresh (under {age(times.memory_warn_seconds)} old)"
    if seconds <= times.memory_limit_seconds:
        return f", memory stale (over {age(times.memory_warn_seconds)} old)"
    return f", memory too old to serve (over {age(times.memory_limit_seconds)})"


def table(s: Situation, stores: dict[str, dict[str, Any]]) -> list[str]:
    """The newest verified snapshot of every store on every node, its columns aligned."""
    tiers = {name: "primary tier" if name == s.site.preferred else "DR tier" for name in stores}
    names = sorted({store for found in stores.values() for store in found})
    rows = [["newest verified", *(f"{name} ({tier})" for name, tier in tiers.items())]]
    rows += [[store, *(cell(s, name, store, stores[name]) for name in stores)] for store in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return [
        f"| {' | '.join(text.ljust(width) for text, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]


def cell(s: Situation, node: str, store: str, found: dict[str, Any]) -> str:
    """One store on one node; the holder's memory is in use, and its copy there is an older one."""
    if not found:
        return "not known"
    if store == "memory" and node == s.record.holder:
        return "in use"
    seconds = found.get(store, {}).get("age_seconds")
    if seconds is None:
        return "none"
    return f"{age(seconds)} old, {len(found[store]['snapshots'])} kept"


def moment(wall: float) -> str:
    """Seconds since 1970 for a reader: 2026-11-25 06:46:07 UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
