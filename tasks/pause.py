"""The pause that T440 keeps on its disk: whether it is in force, and what people are told of it.

Whoever changes it holds the lock of the checks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tasks.core.errors import Paused
from tasks.core.pause import MOST_SECONDS, Pause, effect, is_over, is_reminder_due
from tasks.core.site import Site
from tasks.core.situation import Decision, Kind, Level, Situation
from tasks.core.state import Moment
from tasks.files import replace_file, sync_folder
from tasks.journal import boot_id, check_lock, now
from tasks.notify import alert
from tasks.told import exchange


def pause_file(site: Site) -> Path:
    return site.watchdog.state / "pause.json"


def load_pause(site: Site) -> Pause | None:
    """The pause that is in force now; None when there is none, or none that can be read.

    What cannot be read holds nothing back: a torn file must not keep Joe down.
    """
    kept = read_pause(site)
    return None if kept is None or is_over(kept, now(), boot_id()) else kept


def read_pause(site: Site) -> Pause | None:
    """The pause on the disk, perhaps over; None when there is none, or none that can be read."""
    try:
        raw = json.loads(pause_file(site).read_text(), parse_constant=_refuse)
        kept = Pause(
            reason=str(raw["reason"]),
            seconds=min(float(raw["seconds"]), MOST_SECONDS),
            begun=Moment(float(raw["begun"][0]), float(raw["begun"][1])),
            boot_id=str(raw["boot_id"]),
            node=str(raw["node"]),
            by=str(raw["by"]),
            told_wall=float(raw["told_wall"]),
        )
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return kept if kept.node in ("", *site.nodes) else None


def _refuse(word: str) -> float:
    """NaN and Infinity are no times: nothing is ever later."""
    raise ValueError(word)


def save_pause(site: Site, pause: Pause) -> None:
    """Replace the pause on the disk, whole or not at all."""
    replace_file(pause_file(site), json.dumps(asdict(pause)))


def remove_pause(site: Site) -> bool:
    """Whether there was one, in whatever state."""
    try:
        pause_file(site).unlink()
    except FileNotFoundError:
        return False
    sync_folder(pause_file(site).parent)
    return True


def require_unpaused(site: Site) -> None:
    """Raises Paused when a check may not move Joe by itself now, whichever way.

    Each of the two nodes has a part in every move, so the maintenance of one forbids all of them.
    """
    pause = load_pause(site)
    if pause is not None:
        raise Paused(f"nothing was moved: {pause.said}")


def with_pause(site: Site, reason: str) -> str:
    """What a person ordered is done in spite of a pause, and says that there is one."""
    pause = load_pause(site)
    return reason if pause is None else f"{reason}; {pause.said}"


def is_held_anew(s: Situation, decision: Decision) -> bool:
    """Whether a move is held back that people have not heard of yet during this pause."""
    lines: Sequence[str] = ()
    if s.pause is not None:
        if decision.kind is not Kind.HOLD:
            return False
        lines = (f"epoch {decision.epoch} to {decision.node}, {decision.level}; {s.pause.said}",)
    return exchange(s.site, "held back", lines) != list(lines) and bool(lines)


def report_pause(site: Site) -> None:
    """End the pause whose time is over, and remind of one that lasts; each is told once."""
    with check_lock(site):
        kept, at = read_pause(site), now()
        if kept is None:
            if not remove_pause(site):
                return
            level, text = Level.WARN, "The pause on T440's disk could not be read: it is over"
        elif is_over(kept, at, boot_id()):
            remove_pause(site)
            level, text = Level.OK, f"The pause is over, checks move Joe again; it was: {kept.said}"
        elif is_reminder_due(kept, at):
            save_pause(site, replace(kept, told_wall=at.wall))
            end = f"prefect deployment run resume/{site.site}"
            level, text = Level.WARN, f"A reminder, {kept.said}: {effect(kept)}; to end it: {end}"
        else:
            return
    alert(site, level, text)
