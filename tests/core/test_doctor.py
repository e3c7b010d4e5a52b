"""Whether a failover would work: every finding with its remedy, and the verdict of all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.doctor import Told, examine
from tasks.core.findings import Finding, Verdict, summary, worst
from tasks.core.state import Ssh
from tests.core.doctor_cases import BODY, CASES, FRESH, WELL
from tests.core.sites import A1, B2, gone, idle, serving, situation


def told_of(told: Told) -> list[tuple[str, str]]:
    """(verdict, line) of all that is not OK."""
    return [(one.verdict.value, one.what) for one in examine(told) if one.verdict is not Verdict.OK]


def test_when_all_is_well_every_line_says_so_and_none_needs_a_remedy() -> None:
    findings = examine(WELL)
    assert [str(one) for one in findings] == [
        "OK    pc-a serves, and pc-b could take over now",
        "OK    pc-a answers by ssh",
        "OK    pc-a: the login shell starts in 4 ms",
        "OK    pc-a: 50.0 GB of 100.0 GB are free",
        "OK    pc-b answers by ssh",
        "OK    pc-b: the login shell starts in 4 ms",
        "OK    pc-b: 50.0 GB of 100.0 GB are free",
        "OK    t440: 50.0 GB of 100.0 GB are free",
        "OK    OpenClaw 2026.9.6 on both nodes",
        "OK    both nodes have the same settings, and the same bot",
        "OK    memory of pc-a: main 12 files",
        "OK    the backups of oc-core, oc-work, t440 are new enough on both tiers",
        "OK    the last health check completed 4 s ago",
        "OK    there is somebody to tell; --notify sends a message",
    ]
    assert worst(findings) is Verdict.OK
    assert summary(findings) == "A failover would work now: 14 OK, 0 WARN, 0 FAIL"


@pytest.mark.parametrize(("told", "lines"), CASES.values(), ids=CASES.keys())
def test_row(told: Told, lines: list[tuple[str, str]]) -> None:
    assert told_of(told) == lines


@pytest.mark.parametrize("told", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_whatever_is_not_ok_has_a_remedy(told: Told) -> None:
    for one in examine(told):
        assert bool(one.remedy) == (one.verdict is not Verdict.OK), one


def test_a_node_that_is_off_is_a_failure_and_t440_must_not_be_restarted_meanwhile() -> None:
    away = gone("pc-b", 600, Ssh.TIMEOUT, detail="no answer")
    told = replace(
        WELL,
        situation=situation(A1, serving("pc-a", backup_ages=FRESH), away),
        bodies={"t440": BODY, "pc-a": BODY},
        drift=None,
    )
    lines = told_of(told)
    assert ("FAIL", "pc-b could not take over from pc-a now: pc-b is unreachable") in lines
    assert ("FAIL", "pc-b is unreachable by ssh: no answer") in lines
    assert ("WARN", "T440's vote is all that pc-a has beside its own") in lines
    assert worst(examine(told)) is Verdict.FAIL


def test_after_a_failover_the_other_way_round_is_asked() -> None:
    told = replace(
        WELL,
        situation=situation(
            B2, idle("pc-a", guard="standby", backup_ages=FRESH), serving("pc-b", backup_ages=FRESH)
        ),
    )
    assert examine(told)[0].what == "pc-b serves, and pc-a could take over now"


def test_a_finding_is_a_line_with_its_remedy_below() -> None:
    one = Finding(Verdict.WARN, "pc-a: something", "mend it")
    assert str(one) == "WARN  pc-a: something\n      remedy: mend it"
