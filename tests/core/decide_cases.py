"""The decisions as a table: each row is a sentence, a situation and what must be done."""

from __future__ import annotations

from tasks.core.situation import Kind, Level, Situation
from tasks.core.state import History, Record, Ssh
from tests.core.sites import (
    A1,
    B2,
    NOW,
    crashed,
    gone,
    hung,
    idle,
    serving,
    situation,
    strange,
    strange_body,
)

LONG_AGO = NOW.boot - 10_000
GRACE_OVER = History(unwell_since=NOW.boot - 21)
RESTARTED = History(unwell_since=NOW.boot - 60, restarted_at=NOW.boot - 31)
JUST_RESTARTED = History(unwell_since=NOW.boot - 30, restarted_at=NOW.boot - 5)
ONCE = (NOW.wall - 1800,)
TWICE = (NOW.wall - 1800, NOW.wall - 900)

Case = tuple[str, Situation, Kind, str, int, Level, str]


def case(
    sentence: str,
    s: Situation,
    kind: Kind,
    node: str = "pc-a",
    epoch: int = 1,
    level: Level = Level.OK,
    reason: str = "",
) -> Case:
    return sentence, s, kind, node, epoch, level, reason


WARN, CRITICAL = Level.WARN, Level.CRITICAL
CASES = [
    case(
        "the preferred node serves and the other waits: nothing",
        situation(A1, serving("pc-a"), idle("pc-b")),
        Kind.NOTHING,
        reason="pc-a serves",
    ),
    case(
        "a stopped standby does not mean that both are down",
        situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=10.0)),
        Kind.NOTHING,
    ),
    case(
        "the preferred node serves and the other is gone: serve on, and warn",
        situation(A1, serving("pc-a"), gone("pc-b", 15)),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a serves, but nobody could take over: pc-b is unreachable",
    ),
    case(
        "the standby missed one probe: look again before a warning",
        situation(A1, serving("pc-a"), gone("pc-b", 1)),
        Kind.LOOK_AGAIN,
    ),
    case(
        "the standby has no memory yet: it could not take over",
        situation(A1, serving("pc-a"), idle("pc-b", memory_age_seconds=None)),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a serves, but nobody could take over: pc-b has no verified memory",
    ),
    case(
        "one miss is not a failure",
        situation(A1, gone("pc-a", 0.5), idle("pc-b")),
        Kind.LOOK_AGAIN,
        level=WARN,
        reason="pc-a silent for 0 s: look again",
    ),
    case(
        "silent for less than H: look again",
        situation(A1, gone("pc-a", 13.9), idle("pc-b")),
        Kind.LOOK_AGAIN,
        level=WARN,
    ),
    case(
        "silent for H: failover",
        situation(A1, gone("pc-a", 15), idle("pc-b")),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
        reason="Failover to pc-b: pc-a silent for 15 s, heard by nobody",
    ),
    case(
        "a closed ssh port for H is as silent as no answer",
        situation(A1, gone("pc-a", 15, Ssh.REFUSED), idle("pc-b")),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "a changed host key is somebody alive: no move",
        situation(A1, strange("pc-a"), idle("pc-b")),
        Kind.NOTHING,
        level=CRITICAL,
        reason="No move: pc-a is not the node we know (key mismatch): host key changed",
    ),
    case(
        "silent, and the standby is silent as well: nobody can take over",
        situation(A1, gone("pc-a", 15), gone("pc-b", 15)),
        Kind.NOTHING,
        level=CRITICAL,
        reason="Nobody serves: pc-a silent for 15 s, heard by nobody; pc-b is unreachable",
    ),
    case(
        "silent, and the standby's memory is older than a day: not promoted, and said why",
        situation(A1, gone("pc-a", 15), idle("pc-b", memory_age_seconds=90_000.0)),
        Kind.NOTHING,
        level=CRITICAL,
        reason="Nobody serves: pc-a silent for 15 s, heard by nobody; the newest verified memory"
        " on pc-b is 25 h old, the limit is 24 h",
    ),
    case(
        "one failover half an hour ago: the second is made",
        situation(A1, gone("pc-a", 15), idle("pc-b"), History(failovers=ONCE)),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "two failovers within the hour: no third",
        situation(A1, gone("pc-a", 15), idle("pc-b"), History(failovers=TWICE)),
        Kind.NOTHING,
        level=CRITICAL,
    ),
    case(
        "two failovers, but long ago: a failover again",
        situation(A1, gone("pc-a", 15), idle("pc-b"), History(failovers=(1.0, 2.0))),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "after a boot nothing runs on the holder: start it",
        situation(A1, idle("pc-a"), idle("pc-b")),
        Kind.RESTART,
        reason="Start pc-a: it answers, nothing runs there, the record names it",
    ),
    case(
        "after a boot of the holder the standby is silent for less than H: look again first",
        situation(A1, idle("pc-a"), gone("pc-b", 2)),
        Kind.LOOK_AGAIN,
        level=WARN,
    ),
    case(
        "after a boot of the holder the standby is gone: start the holder",
        situation(A1, idle("pc-a"), gone("pc-b", 15)),
        Kind.RESTART,
    ),
    case(
        "the standby answers with another host key, so it may serve: nothing is started",
        situation(A1, idle("pc-a"), strange("pc-b")),
        Kind.NOTHING,
        level=CRITICAL,
    ),
    case(
        "the gateway crashed a moment ago: left alone",
        situation(A1, crashed("pc-a"), idle("pc-b")),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a does not serve, its gateway is not running: left alone for 20 s",
    ),
    case(
        '"not running" is not running: past the grace the gateway is restarted in place',
        situation(A1, crashed("pc-a"), idle("pc-b"), GRACE_OVER),
        Kind.RESTART,
        level=WARN,
        reason="Restart pc-a in place: its gateway is not running for 21 s",
    ),
    case(
        "a hung gateway is not well: past the grace it is restarted in place",
        situation(A1, hung("pc-a"), idle("pc-b"), GRACE_OVER),
        Kind.RESTART,
        level=WARN,
        reason="Restart pc-a in place: its gateway hangs: port open, no answer for 21 s",
    ),
    case(
        "restarted a moment ago: given its time",
        situation(A1, hung("pc-a"), idle("pc-b"), JUST_RESTARTED),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a was restarted: up to 30 s to serve",
    ),
    case(
        "restarted in vain: failover",
        situation(A1, hung("pc-a"), idle("pc-b"), RESTARTED),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
        reason="Failover to pc-b: pc-a answers but its gateway hangs: port open, no answer",
    ),
    case(
        "restarted in vain, and the standby is gone: nobody can take over",
        situation(A1, hung("pc-a"), gone("pc-b", 20), RESTARTED),
        Kind.NOTHING,
        level=CRITICAL,
    ),
    case(
        "somebody else answers on the gateway's port: not well",
        situation(A1, strange_body("pc-a"), idle("pc-b"), GRACE_OVER),
        Kind.RESTART,
        level=WARN,
        reason="Restart pc-a in place: something else answers on its gateway's port for 21 s",
    ),
    case(
        "two nodes serve: the one that the record does not name is fenced",
        situation(B2, serving("pc-a"), serving("pc-b")),
        Kind.FENCE,
        epoch=2,
        level=CRITICAL,
        reason="Two nodes serve: kill the gateway on pc-a, the record names pc-b",
    ),
    case(
        "a hung gateway on the node that the record does not name is fenced",
        situation(B2, hung("pc-a"), serving("pc-b")),
        Kind.FENCE,
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "only the wrong node serves: it is fenced before the holder starts",
        situation(A1, idle("pc-a"), serving("pc-b")),
        Kind.FENCE,
        node="pc-b",
        level=CRITICAL,
        reason="A stray gateway runs: kill the gateway on pc-b, the record names pc-a",
    ),
    case(
        "a node knows a newer record than T440: adopt it before anything else",
        situation(A1, gone("pc-a", 20), serving("pc-b", record=Record(4, "pc-b"))),
        Kind.ADOPT,
        level=WARN,
        reason="Adopt the newer record: epoch 4 for pc-b",
    ),
    case(
        "a node knows an older record: nothing to adopt",
        situation(B2, idle("pc-a", record=A1), serving("pc-b"), History()),
        Kind.NOTHING,
        node="pc-b",
        epoch=2,
        reason="pc-b serves; failback to pc-a in 5 min",
    ),
    case(
        "the standby serves and the preferred node has been well for 5 min: failback",
        situation(B2, idle("pc-a"), serving("pc-b"), History(preferred_well_since=LONG_AGO)),
        Kind.FAILBACK,
        epoch=3,
    ),
    case(
        "failback is by hand: not made",
        situation(
            B2,
            idle("pc-a"),
            serving("pc-b"),
            History(preferred_well_since=LONG_AGO),
            failback="manual",
        ),
        Kind.NOTHING,
        node="pc-b",
        epoch=2,
    ),
    case(
        "latched: no failback until acknowledged",
        situation(
            B2,
            idle("pc-a"),
            serving("pc-b"),
            History(preferred_well_since=LONG_AGO, latched=True),
        ),
        Kind.NOTHING,
        node="pc-b",
        epoch=2,
        level=WARN,
    ),
    case(
        "the preferred node is well but has no memory: no failback",
        situation(
            B2,
            idle("pc-a", memory_age_seconds=None),
            serving("pc-b"),
            History(preferred_well_since=LONG_AGO),
        ),
        Kind.NOTHING,
        node="pc-b",
        epoch=2,
        level=WARN,
    ),
]
