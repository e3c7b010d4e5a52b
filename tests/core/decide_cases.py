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
UNWELL_A_WHILE = History(unwell_since=NOW.boot - 30)
UNWELL_LONG = History(unwell_since=NOW.boot - 81)
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
        situation(A1, gone("pc-a", 0.5, heard_seconds=3.5), idle("pc-b")),
        Kind.LOOK_AGAIN,
        level=WARN,
        reason="pc-a not heard for 4 s: look again",
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
        "no ssh, but a voter hears it serve: no move",
        situation(A1, gone("pc-a", 15, heard_seconds=1.0, detail="timed out"), idle("pc-b")),
        Kind.NOTHING,
        level=WARN,
        reason="No move: pc-a is unreachable, but is heard to serve: timed out",
    ),
    case(
        "a changed host key, but a voter hears it serve: no move",
        situation(
            A1,
            gone("pc-a", 15, Ssh.KEY_MISMATCH, heard_seconds=1.0, detail="host key changed"),
            idle("pc-b"),
        ),
        Kind.NOTHING,
        level=WARN,
        reason="No move: pc-a is not the node we know (key mismatch), but is heard to serve:"
        " host key changed",
    ),
    case(
        "no ssh for long, last heard to serve 5 s ago: look again",
        situation(A1, gone("pc-a", 60, heard_seconds=5.0), idle("pc-b")),
        Kind.LOOK_AGAIN,
        level=WARN,
        reason="pc-a not heard for 5 s: look again",
    ),
    case(
        "a changed host key and heard by nobody for H: like any other silence",
        situation(A1, strange("pc-a"), idle("pc-b")),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "silent, and the standby's guard has not asked for 7 s: it could not start anything",
        situation(A1, gone("pc-a", 15), idle("pc-b", asked_seconds=7.0)),
        Kind.NOTHING,
        level=CRITICAL,
        reason="Nobody serves: pc-a silent for 15 s, heard by nobody; pc-b's guard has not asked"
        " for 7 s",
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
        reason="Failover to pc-b: pc-a silent for 15 s, heard by nobody; the second within 60 min,"
        " no failback until acknowledged",
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
        "after a boot the holder waits for its term: left to its guard",
        situation(A1, idle("pc-a", guard="waiting"), idle("pc-b")),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a does not serve, its gateway is not running, its guard says waiting:"
        " left to the guard",
    ),
    case(
        '"not running" is not running: the gateway crashed, and is left to its guard',
        situation(A1, crashed("pc-a"), idle("pc-b"), UNWELL_A_WHILE),
        Kind.NOTHING,
        level=WARN,
    ),
    case(
        "a hung gateway is not well: left to its guard, which restarts it once",
        situation(A1, hung("pc-a"), idle("pc-b"), UNWELL_A_WHILE),
        Kind.NOTHING,
        level=WARN,
        reason="pc-a does not serve, its gateway hangs: port open, no answer, its guard says"
        " starting: left to the guard",
    ),
    case(
        "somebody else answers on the gateway's port: not well",
        situation(A1, strange_body("pc-a"), idle("pc-b"), UNWELL_A_WHILE),
        Kind.NOTHING,
        level=WARN,
    ),
    case(
        "its gateway is gone and its guard hangs: nobody there restarts it",
        situation(A1, idle("pc-a", guard="", asked_seconds=14.0), idle("pc-b")),
        Kind.FAILOVER,
        "pc-b",
        epoch=2,
        level=CRITICAL,
        reason="Failover to pc-b: pc-a answers but its gateway is not running, and its guard is"
        " silent for 14 s",
    ),
    case(
        "its gateway is gone and its guard is late: it may only be slow",
        situation(A1, idle("pc-a", guard="", asked_seconds=13.9), idle("pc-b")),
        Kind.NOTHING,
        level=WARN,
    ),
    case(
        "a gateway that serves goes on, although its guard is silent: its term will end it",
        situation(A1, serving("pc-a", asked_seconds=15.0), idle("pc-b")),
        Kind.NOTHING,
    ),
    case(
        "memory older than a quarter of an hour is promoted, and the reason says so",
        situation(A1, gone("pc-a", 15), idle("pc-b", memory_age_seconds=901.0)),
        Kind.FAILOVER,
        "pc-b",
        epoch=2,
        level=CRITICAL,
        reason="Failover to pc-b: pc-a silent for 15 s, heard by nobody; the memory there is 15"
        " min old",
    ),
    case(
        "lost sight of a moment ago, and heard a moment before that: it may just have died",
        situation(A1, gone("pc-a", 3.9, heard_seconds=2.0), idle("pc-b")),
        Kind.LOOK_AGAIN,
        level=WARN,
        reason="pc-a is unreachable, and was heard 2 s ago: look again",
    ),
    case(
        "out of sight for longer than what was heard: the link is at fault, Joe serves",
        situation(A1, gone("pc-a", 4.0, heard_seconds=2.0), idle("pc-b")),
        Kind.NOTHING,
        level=WARN,
    ),
    case(
        "the holder is gone, and something else holds the gateway's port of the other node",
        situation(A1, gone("pc-a", 15), idle("pc-b", gateway_runs=True)),
        Kind.NOTHING,
        level=CRITICAL,
        reason="Nobody serves: pc-a silent for 15 s, heard by nobody; a gateway runs on pc-b"
        " already",
    ),
    case(
        "the guard restarted it in vain: failover",
        situation(A1, hung("pc-a", guard="unwell"), idle("pc-b")),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
        reason="Failover to pc-b: pc-a answers but its gateway hangs: port open, no answer",
    ),
    case(
        "unwell for longer than the guard may need: failover, whatever the guard says",
        situation(A1, crashed("pc-a"), idle("pc-b"), UNWELL_LONG),
        Kind.FAILOVER,
        node="pc-b",
        epoch=2,
        level=CRITICAL,
    ),
    case(
        "unwell for long, and the standby is gone: nobody can take over",
        situation(A1, hung("pc-a"), gone("pc-b", 20), UNWELL_LONG),
        Kind.NOTHING,
        level=CRITICAL,
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
