"""What T440 knows: the record, what it saw of each node, and what it remembers between checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Record(NamedTuple):
    """The node that may serve, and how many moves led there."""

    epoch: int
    holder: str


class Moment(NamedTuple):
    """`boot`: seconds since T440's boot (ages); `wall`: since 1970 (what outlives a boot)."""

    boot: float
    wall: float


class Ssh(StrEnum):
    """How the node's sshd answered. Unreachable is not down."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    KEY_MISMATCH = "key mismatch"
    NO_ACCESS = "no access"


class Health(StrEnum):
    """What the gateway's own /healthz said."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    WRONG_BODY = "wrong body"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observation:
    """One look at one node; independent signals, none of which moves Joe alone.

    `silent_seconds`: since the first failed probe of this check (which began at `silent_from`,
    monotonic clock), 0 when ssh answered. `asked_seconds`: since its guard last asked T440's voter.
    `heard_seconds`: since it was last heard to say that it serves, by T440's voter or by the other
    node's. Both count from T440's boot when it never was. `guard`: the state its guard reports.
    `says_serving`: what it said in its last ask, None when it never asked.
    `gateway_runs`: a process of it is left or its port is open; None when ssh did not answer.
    `memory_age_seconds`: age of the newest verified memory there, None when there is none.
    `backup_ages`: source -> seconds since its newest backup there was verified.
    `detail`: what the transport said when ssh was not OK, or why the node's own word is missing.
    """

    node: str
    ssh: Ssh
    healthz: Health = Health.UNKNOWN
    gateway_runs: bool | None = None
    record: Record | None = None
    memory_age_seconds: float | None = None
    silent_seconds: float = 0.0
    silent_from: float = 0.0
    asked_seconds: float = 0.0
    heard_seconds: float = 0.0
    says_serving: bool | None = None
    guard: str = ""
    detail: str = ""
    backup_ages: Mapping[str, float] = field(default_factory=dict)


class Standing(StrEnum):
    """A node's state, derived from the signals of one observation."""

    SERVING = "serving"  # /healthz is ok
    UNWELL = "unwell"  # ssh ok, a gateway is there, /healthz is not ok
    IDLE = "idle"  # ssh ok, no gateway runs
    HEARD = "heard"  # no ssh, but a voter hears it say that it serves
    QUIET = "quiet"  # no ssh, heard serving less than H ago: not known yet
    SILENT = "silent"  # no ssh, heard by nobody for H or longer


def standing(seen: Observation, heard_seconds: float, silence_seconds: float) -> Standing:
    """Observation -> Standing. A gateway whose process runs but does not answer is not serving.

    `heard_seconds`: a node heard serving so recently serves. Without ssh a node whose host key
    changed, or that does not take our key, is like any other: the voters know whether it lives.
    """
    if seen.ssh is not Ssh.OK:
        if seen.heard_seconds < heard_seconds:
            return Standing.HEARD
        return Standing.SILENT if seen.heard_seconds >= silence_seconds else Standing.QUIET
    if seen.healthz is Health.OK:
        return Standing.SERVING
    # the node's own word missing is no proof that nothing runs there
    return Standing.IDLE if seen.gateway_runs is False else Standing.UNWELL


@dataclass(frozen=True)
class History:
    """What one check leaves for the next.

    `_since` is T440's boot clock and is forgotten at a boot (`boot_id`); `failovers`
    (wall clock, automatic ones only) and `latched` are not. `level` and `told_wall` are the last
    alert: its level ("" before the first one), and when it was told (wall clock).
    """

    boot_id: str = ""
    unwell_since: float | None = None
    preferred_well_since: float | None = None
    failovers: tuple[float, ...] = ()
    latched: bool = False
    level: str = ""
    told_wall: float = 0.0
