"""Whether every alert was true, and none told twice: pure, on the journal, the faults that were
injected, and what the witness saw.

An alert that is not an all-clear must have a cause: a fault that fits its sentence, and lasted or
had been mended for a short time when it was told. What it says of gateways must have been so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deployments.demo.three import T440

from .plan import Kind

# So long after a fault was mended its last consequence is told.
AFTER_SECONDS = 45.0
# An alert is stamped in whole seconds, and tells what was seen some seconds before.
SEEN_SECONDS = 20.0


@dataclass
class Fault:
    """What happened; `t` and `until` (when it was mended) in seconds since 1970."""

    t: float
    until: float
    kind: Kind
    target: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.target}"


class Alert(NamedTuple):
    """A line of T440's journal; `t` in seconds since 1970, rounded down."""

    t: float
    level: str
    text: str


class Cause(NamedTuple):
    """Alerts that fit `pattern` come of faults of these kinds.

    A group `node` in it: of that node's power, or of its or T440's sshd. `seconds`: so long after.
    """

    pattern: str
    kinds: frozenset[Kind]
    seconds: float = AFTER_SECONDS


NODE = r"(?P<node>pc-[ab])"
POWER, SSHD = frozenset({Kind.POWER}), frozenset({Kind.POWER, Kind.SSHD})
CAUSES = (
    Cause(rf"^Failover to pc-[ab]: {NODE} silent", POWER),
    Cause(rf"^Nobody serves: {NODE}", POWER),
    Cause(rf"nobody could take over: {NODE}", SSHD),
    Cause(rf"^No move: {NODE} is ", SSHD),
    Cause(rf"^{NODE} (is unreachable|not heard|silent)", SSHD),
    Cause(rf"^Failback to {NODE}.* It was not done", SSHD),
    Cause(r"two failovers within", POWER, 900),
    Cause(r"^Memory of pc-[ab] was merged", POWER, 300),
    # an interval is 6 min at the soak's speed, and the second limit is three of them
    Cause(r"^Backups on pc-[ab]", frozenset(Kind), 1200),
    Cause(r"^No health check has completed", frozenset({Kind.WATCH, Kind.SERVER})),
)

Running = frozenset[str]
# Sentence -> what must have been so at some moment; `running` are the nodes with a gateway.
CLAIMS: tuple[tuple[str, Callable[[str, Running], bool]], ...] = (
    (rf"(?<![\w-]){NODE} serves", lambda node, running: node in running),
    (rf"^No move: {NODE} is .* heard to serve", lambda node, running: node in running),
    (rf"^{NODE} does not serve, its gateway is not", lambda node, running: node not in running),
    (r"^Nobody serves", lambda node, running: not running),
    (r"^Two nodes serve", lambda node, running: len(running) > 1),
)
ALL_CLEAR, CRITICAL = "ok", "critical"
MERGE = "Memory of"
BY_HAND = "Acknowledged"


def untrue(
    alerts: Sequence[Alert], faults: Sequence[Fault], changes: Sequence[tuple[float, Running]]
) -> Iterator[str]:
    """A sentence each for an alert without a cause, or that says what was not so."""
    for alert in alerts:
        if alert.level != ALL_CLEAR and cause_of(alert, faults) is None:
            yield f"no cause: {alert.level}: {alert.text}"
        for pattern, is_so in CLAIMS:
            found = re.search(pattern, alert.text)
            node = found.groupdict().get("node", "") if found else ""
            seen = during(changes, alert.t - SEEN_SECONDS, alert.t + 1)
            if found and not any(is_so(node, running) for running in seen):
                yield f"not so: {alert.level}: {alert.text}"


def cause_of(alert: Alert, faults: Sequence[Fault]) -> Fault | None:
    """The newest fault that explains the alert, None when none does."""
    found = [fault for fault in faults if explains(fault, alert)]
    return found[-1] if found else None


def explains(fault: Fault, alert: Alert) -> bool:
    for cause in CAUSES:
        match = re.search(cause.pattern, alert.text)
        if not match or fault.kind not in cause.kinds:
            continue
        node = match.groupdict().get("node")
        hits = node in (None, fault.target) or (fault.kind, fault.target) == (Kind.SSHD, T440)
        if hits and int(fault.t) <= alert.t <= fault.until + cause.seconds:
            return True
    return False


def during(changes: Sequence[tuple[float, Running]], begin: float, end: float) -> Iterator[Running]:
    """The nodes with a gateway, as they were from `begin` to `end`; `changes` are in order."""
    for number, (t, running) in enumerate(changes):
        until = changes[number + 1][0] if number + 1 < len(changes) else end
        if t <= end and until >= begin:
            yield running


def told_twice(alerts: Sequence[Alert], faults: Sequence[Fault], reminder: float) -> Iterator[str]:
    """A sentence each for an alert that the one before it had told already.

    Numbers in it may differ. Another fault in between is another cause; a critical one may be
    repeated after `reminder` seconds. Merges and what a person ordered interrupt no state.
    """
    before: dict[bool, Alert] = {}
    for alert in alerts:
        if alert.text.startswith(BY_HAND):
            continue
        is_merge = alert.text.startswith(MERGE)
        last, before[is_merge] = before.get(is_merge), alert
        if last is None or shape(last) != shape(alert):
            continue
        seconds = alert.t - last.t
        is_reminder = alert.level == CRITICAL and seconds >= reminder
        if not is_reminder and cause_of(last, faults) == cause_of(alert, faults):
            yield f"again after {seconds:.0f} s: {alert.level}: {alert.text}"


def shape(alert: Alert) -> tuple[str, str]:
    """What makes two alerts the same: the level, and the sentence without its numbers."""
    return alert.level, re.sub(r"\d+(\.\d+)?", "#", alert.text)
