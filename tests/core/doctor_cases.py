"""What a doctor may meet, a sentence each, and the lines that are not OK."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tasks.core.doctor import Told
from tests.core.sites import A1, idle, serving, situation

GB = 1_000_000_000
FRESH = {"oc-core": 60.0, "oc-work": 60.0, "t440": 60.0}
UNITS = {
    "joe-guard.service": {"active": "active", "enabled": "enabled"},
    "joe-fuse.service": {"active": "active", "enabled": "enabled"},
    "openclaw-gateway.service": {"active": "active", "enabled": "disabled"},
}
BODY: dict[str, Any] = {
    "shell_seconds": 0.004,
    "versions": {"rsync": "3.2.7", "openclaw": "2026.9.6", "node": "24.1.0"},
    "settings_error": "",
    "disk": {"free": 50 * GB, "size": 100 * GB, "free_inodes": 900, "inodes": 1000},
    "linger": True,
    "units": UNITS,
    "sleep": [],
    "loose_keys": [],
    "program": "5f1e",
}
WELL = Told(
    situation=situation(
        A1, serving("pc-a", backup_ages=FRESH), idle("pc-b", guard="standby", backup_ages=FRESH)
    ),
    bodies={"t440": BODY, "pc-a": BODY, "pc-b": BODY},
    drift=(),
    agents={"main": {"files": 12}},
    checked=4.0,
    workers={"watch": 1, "data": 1},
    has_notifier=True,
)


def with_body(node: str, **changes: Any) -> Told:
    return replace(WELL, bodies={**WELL.bodies, node: {**BODY, **changes}})


NEWER_B = with_body("pc-b", versions={**BODY["versions"], "openclaw": "2026.10.1"})
CASES = {
    "another joe.pyz": (
        with_body("pc-b", program="0000"),
        [("WARN", "pc-b runs another joe.pyz than T440")],
    ),
    "a joe.pyz that has no doctor": (
        replace(WELL, bodies={"t440": BODY, "pc-a": BODY}),
        [("WARN", "pc-b does not answer the doctor: its joe.pyz may be an older one")],
    ),
    "a heavy .bashrc costs every command": (
        with_body("pc-b", shell_seconds=0.31),
        [("WARN", "pc-b: the login shell takes 310 ms to do nothing")],
    ),
    "a clock that is off": (
        replace(WELL, clocks={"pc-a": -7300.0}),
        [("WARN", "pc-a: its clock is 2 h behind T440's")],
    ),
    "little room": (
        with_body("pc-a", disk={**BODY["disk"], "free": GB}),
        [("WARN", "pc-a: 1.0 GB of 100.0 GB are free")],
    ),
    "no room, on T440 too": (
        with_body("t440", disk={**BODY["disk"], "free": 10_000_000}),
        [("FAIL", "t440: 10 MB of 100.0 GB are free")],
    ),
    "a file system that counts no inodes": (
        with_body("pc-a", disk={**BODY["disk"], "free_inodes": 0, "inodes": 0}),
        [],
    ),
    "few inodes": (
        with_body("pc-a", disk={**BODY["disk"], "free_inodes": 9}),
        [("WARN", "pc-a: 1% of the inodes are free")],
    ),
    "settings that cannot be read": (
        with_body("pc-b", settings_error="openclaw.json:3:1: not JSON5"),
        [("FAIL", "pc-b: openclaw.json:3:1: not JSON5")],
    ),
    "no OpenClaw": (
        with_body("pc-b", versions={"rsync": "3.2.7", "openclaw": None, "node": None}),
        [("FAIL", "pc-b: openclaw cannot be run")],
    ),
    "no linger": (
        with_body("pc-b", linger=False),
        [("FAIL", "pc-b: the units of openclaw02 do not run without a login")],
    ),
    "without systemd nothing is said of units": (
        with_body("pc-b", linger=None, units={}, sleep=[]),
        [],
    ),
    "a node that may sleep": (
        with_body("pc-a", sleep=["suspend.target"]),
        [
            (
                "WARN",
                "pc-a may go to sleep; when it wakes up there can be two Joes for half a second",
            )
        ],
    ),
    "a guard that does not run": (
        with_body(
            "pc-b",
            units={**UNITS, "joe-guard.service": {"active": "inactive", "enabled": "enabled"}},
        ),
        [("FAIL", "pc-b: joe-guard.service is inactive, enabled")],
    ),
    "a gateway that a boot would start": (
        with_body(
            "pc-b",
            units={
                **UNITS,
                "openclaw-gateway.service": {"active": "inactive", "enabled": "enabled"},
            },
        ),
        [("WARN", "pc-b: openclaw-gateway.service is enabled; the guard starts it, not the boot")],
    ),
    "a key of ours that opens more than its door": (
        with_body("pc-a", loose_keys=["dual-joe:joe:control@t440"]),
        [
            (
                "FAIL",
                "pc-a: the key dual-joe:joe:control@t440 is not under restrict in authorized_keys",
            )
        ],
    ),
    "an older OpenClaw on the standby": (
        with_body("pc-b", versions={**BODY["versions"], "openclaw": "2026.8.30"}),
        [("FAIL", "OpenClaw on pc-b is 2026.8.30, older than 2026.9.6 on pc-a")],
    ),
    "a newer OpenClaw on the standby": (
        NEWER_B,
        [("WARN", "OpenClaw on pc-b is 2026.10.1, newer than 2026.9.6 on pc-a")],
    ),
    "another bot on the standby": (
        replace(WELL, drift=("channels.telegram.botToken: not the same on pc-a and pc-b",)),
        [
            (
                "FAIL",
                "not the same Telegram bot on both nodes: channels.telegram.botToken: not the same"
                " on pc-a and pc-b",
            )
        ],
    ),
    "another model on the standby": (
        replace(WELL, drift=("agents.model: pc-a has x, pc-b has y",)),
        [("WARN", "the settings differ: agents.model: pc-a has x, pc-b has y")],
    ),
    "an agent whose memory nobody carries": (
        replace(WELL, agents={"main": {"files": 12}, "work": {"files": 0}}),
        [("WARN", "memory of pc-a: main 12 files; none of work")],
    ),
    "Prefect is down": (
        replace(WELL, workers=None, checked=None),
        [
            (
                "FAIL",
                "Prefect's server does not answer: nothing is checked and nothing is carried",
            )
        ],
    ),
    "a worker is missing, and so are checks": (
        replace(WELL, workers={"watch": 0, "data": 1}, checked=500.0),
        [
            ("FAIL", "no worker of pool watch is online"),
            ("FAIL", "no health check has completed for 8 min"),
        ],
    ),
    "nobody is told": (
        replace(WELL, has_notifier=False),
        [("WARN", "nobody is told: alerts go to the journal alone")],
    ),
    "an old backup": (
        replace(
            WELL,
            situation=situation(
                A1,
                serving("pc-a", backup_ages=FRESH),
                idle("pc-b", guard="standby", backup_ages={**FRESH, "oc-work": 6000.0}),
            ),
        ),
        [("WARN", "pc-b: oc-work: no verified backup for over 90 min")],
    ),
    "a backup that was never made": (
        replace(
            WELL,
            situation=situation(
                A1,
                serving("pc-a", backup_ages=FRESH),
                idle("pc-b", guard="standby", backup_ages={"oc-core": 60.0, "t440": 60.0}),
            ),
        ),
        [("WARN", "pc-b: oc-work: not backed up yet")],
    ),
    "a standby without memory": (
        replace(
            WELL,
            situation=situation(
                A1,
                serving("pc-a", backup_ages=FRESH),
                idle("pc-b", backup_ages=FRESH, memory_age_seconds=None),
            ),
        ),
        [
            (
                "FAIL",
                "pc-b could not take over from pc-a now: pc-b has no verified memory",
            )
        ],
    ),
}
