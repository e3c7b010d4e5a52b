"""What a check leaves for the next one, and when a person is told."""

from __future__ import annotations

from dataclasses import replace

from tasks.core.situation import Decision, Kind, Level, Situation, recent_failovers
from tasks.core.state import History, Moment, Standing

# Standings in which a node could serve or be promoted.
WELL = (Standing.SERVING, Standing.IDLE)
NOT_WELL = (Standing.UNWELL, Standing.IDLE)


def after_boot(history: History, boot_id: str) -> History:
    """Ages of another boot mean nothing on this boot's clock; failovers and the latch stay."""
    if history.boot_id == boot_id:
        return history
    return replace(history, boot_id=boot_id, unwell_since=None, preferred_well_since=None)


def remember(s: Situation) -> History:
    """The history with what this observation adds; call it before `decide`."""
    holder = s.standing(s.holder)
    preferred = s.standing(s.observations[s.site.preferred])
    old = s.history
    unwell = (old.unwell_since or s.now.boot) if holder in NOT_WELL else None
    return replace(
        old,
        unwell_since=unwell,
        preferred_well_since=(
            (old.preferred_well_since or s.now.boot) if preferred in WELL else None
        ),
    )


def after_action(s: Situation, decision: Decision, *, moved: bool) -> History:
    """The history after the decision was carried out (`moved`: a new record was written).

    The second automatic failover within the latch time latches.
    """
    history = s.history
    if moved:
        history = replace(history, unwell_since=None)
    if moved and decision.kind is Kind.FAILOVER:
        recent = recent_failovers(s) + 1
        latch = s.now.wall - s.site.times.latch_seconds
        kept = tuple(at for at in history.failovers if at > latch)
        history = replace(
            history,
            failovers=(*kept, s.now.wall),
            latched=history.latched or recent >= 2,
        )
    return history


def is_alert_due(
    history: History, level: Level, now: Moment, reminder_seconds: float, *, acted: bool
) -> bool:
    """One alert a change of level, one an action that was carried out (or that a pause holds back,
    the first time), and a reminder while it is critical.
    """
    if acted or level != history.level:
        return True
    return level is Level.CRITICAL and now.wall - history.told_wall >= reminder_seconds


def is_worse(before: str, after: Level) -> bool:
    """Whether the pair went from a better level to a worse one; the first level is no change."""
    if not before:
        return False
    order = [level.value for level in Level]
    return order.index(after.value) > order.index(before)
