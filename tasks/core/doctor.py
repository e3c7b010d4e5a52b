"""Would a failover work right now? What was asked of all machines -> findings, one a line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.core.ages import old_backups
from tasks.core.coverage import covered
from tasks.core.doctor_node import GUARD, Body, examine_node, room
from tasks.core.findings import Finding, fail, ok, warn
from tasks.core.situation import Situation, age, unreachable_word, why_not_promotable
from tasks.core.state import Ssh, Standing

CHECKS_MISSED = 4


@dataclass(frozen=True)
class Told:
    """Everything that was asked.

    `bodies`: node -> its `diagnose`, of those that answered, and T440's own. `clocks`: machine ->
    how far its clock is from T440's, seconds. `drift`: a sentence a setting in which the nodes
    differ, None when they could not be compared. `agents`: the holder's `memory list`. `checked`:
    seconds since a health check completed, None for never or when Prefect does not answer.
    `workers`: pool -> how many of its workers are online, None when Prefect does not answer.
    """

    situation: Situation
    bodies: Mapping[str, Body]
    clocks: Mapping[str, float] = field(default_factory=dict)
    drift: Sequence[str] | None = None
    agents: Mapping[str, Mapping[str, Any]] | None = None
    checked: float | None = None
    workers: Mapping[str, int] | None = None
    has_notifier: bool = False


def examine(told: Told) -> list[Finding]:
    """Every finding, the takeover itself first."""
    found = [takeover(told)]
    for name in told.situation.site.nodes:
        found += reach(told, name)
        if name in told.bodies:
            found += program(told, name)
            off = told.clocks.get(name, 0.0)
            found += examine_node(told.situation.site, name, told.bodies[name], off)
        elif told.situation.observations[name].ssh is Ssh.OK:
            found.append(
                warn(
                    f"{name} does not answer the doctor: its joe.pyz may be an older one",
                    "python -m deployments.provision deployments/site.yaml",
                )
            )
    watchdog = told.situation.site.watchdog.name
    if watchdog in told.bodies:
        found += room(watchdog, told.bodies[watchdog])
    return [*found, *pair(told), *memory(told), *backups(told), *prefect(told), notifier(told)]


def takeover(told: Told) -> Finding:
    """The one question."""
    s = told.situation
    holder, other = s.holder.node, s.other.node
    if s.standing(s.holder) not in (Standing.SERVING, Standing.HEARD):
        return fail(f"{holder} does not serve", f"prefect deployment run status/{s.site.site}")
    if why := why_not_promotable(s, s.other):
        return fail(f"{other} could not take over from {holder} now: {why}", "see the lines below")
    return ok(f"{holder} serves, and {other} could take over now")


def reach(told: Told, name: str) -> Iterator[Finding]:
    """ssh, the guard's asks, and T440's vote while the other node is off."""
    s = told.situation
    seen = s.observations[name]
    if seen.ssh is not Ssh.OK:
        where = s.site.nodes[name]
        said = f": {seen.detail}" if seen.detail else ""
        yield fail(
            f"{name} is {unreachable_word(seen)} by ssh{said}",
            f"switch it on; see that {where.user}@{where.address} lets T440's key in",
        )
        yield warn(
            f"T440's vote is all that {s.site.other(name)} has beside its own",
            f"do not restart T440 before {name} is back: Joe would be away until T440 is up again",
        )
        return
    yield ok(f"{name} answers by ssh")
    if seen.asked_seconds > s.site.times.other_heard_seconds:
        yield fail(
            f"{name}'s guard has not asked T440 for {age(seen.asked_seconds)}",
            f"on {name}: systemctl --user restart {GUARD}",
        )


def program(told: Told, name: str) -> Iterator[Finding]:
    """Whether the node runs the joe.pyz that T440 runs."""
    ours, theirs = (
        told.bodies.get(one, {}).get("program") for one in (told.situation.site.watchdog.name, name)
    )
    if ours and theirs != ours:
        yield warn(
            f"{name} runs another joe.pyz than T440",
            "python -m deployments.provision deployments/site.yaml",
        )


def pair(told: Told) -> Iterator[Finding]:
    """What must be the same on both."""
    s = told.situation
    holder, other = s.holder.node, s.other.node
    mine, theirs = (told.bodies.get(name, {}).get("versions", {}) for name in (holder, other))
    yield from versions(holder, mine.get("openclaw"), other, theirs.get("openclaw"))
    if told.drift is None:
        yield warn("the settings of both nodes could not be compared", "see the lines above")
        return
    tokens = [line for line in told.drift if "bottoken" in line.lower()]
    for line in tokens:
        yield fail(
            f"not the same Telegram bot on both nodes: {line}",
            "write the same token in both openclaw.json: after a failover nobody would reach Joe",
        )
    for line in told.drift:
        if line not in tokens:
            yield warn(f"the settings differ: {line}", "make both openclaw.json alike")
    if not told.drift:
        yield ok("both nodes have the same settings, and the same bot")


def versions(holder: str, mine: str | None, other: str, theirs: str | None) -> Iterator[Finding]:
    """OpenClaw refuses the state that a newer one has written."""
    if not mine or not theirs:
        return
    if mine == theirs:
        yield ok(f"OpenClaw {mine} on both nodes")
    elif numbers(theirs) < numbers(mine):
        yield fail(
            f"OpenClaw on {other} is {theirs}, older than {mine} on {holder}",
            f"update it on {other}: an older one refuses what a newer one has written",
        )
    else:
        yield warn(
            f"OpenClaw on {other} is {theirs}, newer than {mine} on {holder}",
            f"update it on {holder}, or there is no way back after a failover",
        )


def numbers(version: str) -> tuple[int, ...]:
    """1.10.2 -> (1, 10, 2)."""
    return tuple(int(part) for part in version.split("."))


def memory(told: Told) -> Iterator[Finding]:
    """Whose memory is carried."""
    s = told.situation
    if told.agents is None:
        yield fail(f"{s.holder.node} does not say whose memory it has", "see the lines above")
        return
    words = f"memory of {s.holder.node}: {covered(told.agents)}"
    if not told.agents or any(not agent["files"] for agent in told.agents.values()):
        yield warn(words, "are these their workspaces? else: `patterns` in node.json there")
    else:
        yield ok(words)


def backups(told: Told) -> Iterator[Finding]:
    """The age of the newest verified backup of each source on each tier."""
    s = told.situation
    sources = s.site.sources
    wrong = False
    for name, flow in zip(
        (s.site.preferred, s.site.other(s.site.preferred)),
        ("backup-primary-tier", "backup-dr-tier"),
        strict=True,
    ):
        seen = s.observations[name]
        if seen.ssh is not Ssh.OK:
            continue
        lines = old_backups(s, seen)
        never = [one for one in sources if one not in seen.backup_ages]
        lines += [f"{one}: not backed up yet" for one in never if not _is_in(lines, one)]
        for line in lines:
            wrong = True
            yield warn(f"{name}: {line}", f"prefect deployment run {flow}/{s.site.site}")
    if not wrong:
        yield ok(f"the backups of {', '.join(sources)} are new enough on both tiers")


def _is_in(lines: Sequence[str], source: str) -> bool:
    return any(line.startswith(f"{source}: ") for line in lines)


def prefect(told: Told) -> Iterator[Finding]:
    """Whether the schedule is at work."""
    if told.workers is None:
        yield fail(
            "Prefect's server does not answer: nothing is checked and nothing is carried",
            "on T440: systemctl --user restart prefect-server.service",
        )
        return
    for pool, count in told.workers.items():
        if not count:
            yield fail(
                f"no worker of pool {pool} is online",
                f"on T440: systemctl --user restart prefect-worker-{pool}.service",
            )
    limit = CHECKS_MISSED * told.situation.site.times.check_seconds
    if told.checked is None or told.checked > limit:
        when = "ever" if told.checked is None else f"for {age(told.checked)}"
        yield fail(f"no health check has completed {when}", "see the worker of pool watch")
    else:
        yield ok(f"the last health check completed {age(told.checked)} ago")


def notifier(told: Told) -> Finding:
    """Whether a person would hear of it."""
    if told.has_notifier:
        return ok("there is somebody to tell; --notify sends a message")
    return warn(
        "nobody is told: alerts go to the journal alone",
        "DUALJOE_NOTIFY=tgram://... for the workers (~/.dualjoe/notify.env)",
    )
