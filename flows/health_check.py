"""Every 30 s: observe both nodes, decide, act, record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows.failure_handling import Action, failure_handling
from tasks.ages import report_ages
from tasks.core.decide import decide
from tasks.core.errors import DualJoeError, MoveHeld, Paused, StaleRecord
from tasks.core.history import after_action, after_boot, is_alert_due, is_worse, remember
from tasks.core.screen import describe
from tasks.core.site import Site
from tasks.core.situation import Decision, Kind, Level, Situation, newest_record
from tasks.core.state import Observation, Ssh
from tasks.deadline import check, left_seconds, limit_run
from tasks.gateway import kill_gateway
from tasks.heartbeat import beat
from tasks.journal import (
    boot_id,
    check_lock,
    is_moving,
    load_history,
    move_lock,
    now,
    save_history,
    write_journal,
)
from tasks.notify import alert, send_missed
from tasks.observe import observe, observe_until
from tasks.pause import is_held_anew, load_pause, report_pause
from tasks.record import adopt_record, read_dated_record
from tasks.runs import late_seconds, rename_run, skip_overdue
from tasks.screen import keep_current
from tasks.sites import DEFAULT_SITE, load_site

# Of a check's deadline, so much is kept for the decision and the beginning of what it orders.
DECIDE_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """What came of a decision: something was done, a new record was written, how it stands now."""

    acted: bool
    moved: bool
    level: Level
    text: str


@flow(name="health-check")
def health_check(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Look at both nodes, decide by the table, and act: fence, failover or failback.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    limit_run(site.times.look_limit_seconds)
    late = late_seconds()
    if late > site.times.stale_seconds:
        rename_run(f"Stale: {late:.0f} s late")
        skipped = skip_overdue()
        return Completed(
            name="Stale", message=f"{late:.0f} s late, skipped with {skipped} others that waited"
        )
    if is_moving(site):
        return moving()
    situation, decision = look_until_known(site)
    if is_moving(site):  # it began meanwhile: its new holder, named seconds ago, is no alert
        return moving()
    rename_run(decision.reason)
    try:
        outcome = act(site_file, situation, decision)
    except (MoveHeld, StaleRecord) as error:
        return Completed(name="Moving", message=str(error))
    except Paused as error:
        return Completed(name="Paused", message=str(error))
    state = record_outcome(situation, decision, outcome)
    if not outcome.moved:  # what was seen before a move is no longer so
        keep_current(site, describe(situation, outcome.text), outcome.text)
    report_ages(situation)
    report_pause(site)
    return state


def moving() -> State[Any]:
    """The end of a check that met a move: what it saw changes now, and the move tells of it."""
    rename_run("A move is under way")
    return Completed(name="Moving", message="a move is under way; nothing to do but watch")


def look_until_known(site: Site) -> tuple[Situation, Decision]:
    """Observe and decide; while a node has been silent for less than H, look again each second.

    Raises RunOver when that came too late for this run to act on it.
    """
    seen = observe(site)
    situation = situate(site, seen)
    if decide(situation).kind is Kind.LOOK_AGAIN:
        seconds = left_seconds(site.times.look_limit_seconds) - DECIDE_SECONDS
        seen = observe_until(site, seen, lambda one: is_known(site, one), seconds)
        situation = situate(site, seen)
    return situation, decide(situation)


def is_known(site: Site, seen: dict[str, Observation]) -> bool:
    """Whether the table has something better to say than to look again."""
    decision = decide(situate(site, seen))
    get_run_logger().info("%s", decision.reason)
    return decision.kind is not Kind.LOOK_AGAIN


def situate(site: Site, seen: dict[str, Observation]) -> Situation:
    """The observations with the record and the history; what they add to it is kept at once.

    Raises RunOver when this run waited too long for its turn.
    """
    with check_lock(site):
        check()
        history = after_boot(load_history(site), boot_id())
        record, since = read_dated_record(site)
        situation = Situation(site, record, seen, history, now(), since, load_pause(site))
        situation = replace(situation, history=remember(situation))
        if situation.history != history:
            save_history(site, situation.history)
    return situation


def act(site_file: Path, s: Situation, decision: Decision) -> Outcome:
    """Carry out one decision; an action that failed is an outcome, too.

    Raises MoveHeld or StaleRecord when another run acted first, Paused when a person paused moves
    meanwhile; then nothing was done.
    """
    if decision.kind in (Kind.NOTHING, Kind.LOOK_AGAIN, Kind.HOLD):
        return Outcome(False, False, decision.level, decision.reason)
    try:
        if decision.kind in (Kind.FAILOVER, Kind.FAILBACK):
            return hand_over(site_file, s, decision)
        act_in_place(s, decision)
        return Outcome(True, False, decision.level, decision.reason)
    except (MoveHeld, StaleRecord, Paused):
        raise
    except DualJoeError as error:
        return Outcome(False, False, Level.CRITICAL, f"{decision.reason}. It was not done: {error}")


def act_in_place(s: Situation, decision: Decision) -> None:
    """The actions that move nothing: adopt, fence."""
    match decision.kind:
        case Kind.ADOPT:
            adopt_record(s.site, newest_record(s))
        case Kind.FENCE:
            with move_lock(s.site):
                kill_gateway(s.site, decision.node)


def hand_over(site_file: Path, s: Situation, decision: Decision) -> Outcome:
    """Fire the failover or failback as a flow of its own, nested below this check.

    Raises MoveHeld when another check's move came first, Paused when a person paused moves.
    """
    moved = failure_handling(
        action=Action(decision.kind.value),
        reason=decision.reason,
        epoch=s.record.epoch,
        gone=s.observations[s.record.holder].ssh is not Ssh.OK,
        by_itself=True,
        site_file=site_file,
    )
    if moved is None:
        raise MoveHeld("another check's move came first")
    level = Level.OK if moved.serves else Level.CRITICAL
    return Outcome(True, True, level, moved.told)


def record_outcome(s: Situation, decision: Decision, outcome: Outcome) -> State[Any]:
    """Keep what the next check must know, tell a person what changed, and name the state."""
    with check_lock(s.site):
        fresh = load_history(s.site)
        before = fresh.level
        reminder = s.site.times.reminder_seconds
        tells = outcome.acted or is_held_anew(s, decision)
        due = is_alert_due(fresh, outcome.level, s.now, reminder, acted=tells)
        kept = fresh
        if outcome.moved:
            kept = after_action(replace(s, history=fresh), decision, moved=True)
        kept = replace(kept, level=outcome.level.value)
        if due:
            kept = replace(kept, told_wall=s.now.wall)
        if kept != fresh:
            save_history(s.site, kept)
    if due:
        write_journal(s.site, "decision", **facts(s, decision))
        if not outcome.moved:  # a move tells its own story
            alert(s.site, outcome.level, outcome.text)
    send_missed(s.site)
    beat()
    return final_state(before, outcome)


def final_state(before: str, outcome: Outcome) -> State[Any]:
    """Failed only for a change for the worse; while it lasts, Completed as Degraded."""
    if outcome.moved:
        return Completed(name="Moved", message=outcome.text)
    if is_worse(before, outcome.level):
        return Failed(message=outcome.text)
    if outcome.level is not Level.OK:
        return Completed(name="Degraded", message=outcome.text)
    return Completed(message=outcome.text)


def facts(s: Situation, decision: Decision) -> dict[str, Any]:
    """All that the decision depended on, so that it can be made again from the journal."""
    return {
        "decision": decision,
        "record": s.record,
        "observations": {name: vars(seen) for name, seen in s.observations.items()},
        "history": vars(s.history),
        "now": s.now,
        "pause": s.pause,
    }
