"""The status screen and its artifact, which is written when it changes and only then."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.backup import backup_primary_tier
from flows.health_check import health_check
from flows.memory_sync import memory_sync
from flows.status import status
from tasks.screen import keep_current, read_summary
from tests.core.sites import site
from tests.flows.runs import run_state, versions
from tests.site_machines import Ground, ground


def test_the_status_says_who_serves_since_when_and_whether_a_failover_would_work(
    serving: Ground,
) -> None:
    run_state(backup_primary_tier, serving.site_file)
    text = status(serving.site_file)
    assert text.startswith("# pc-a serves\n")
    assert "record: pc-a since 20" in text
    assert "could pc-b take over now: yes" in text
    assert "t440 lends its vote to pc-a for" in text
    assert "pc-b lends its vote to pc-a for" in text
    assert "its guard says serving" in text
    assert "memory of pc-a that is carried: main " in text
    assert "| backup/oc-core " in text
    serving.three.nodes["pc-b"].power_cut()
    assert "could pc-b take over now: no: pc-b is unreachable" in status(serving.site_file)


def test_checks_write_the_artifact_when_it_changes_and_only_then(serving: Ground) -> None:
    before = len(versions("joe-status"))
    run_state(health_check, serving.site_file)
    run_state(health_check, serving.site_file)
    first = versions("joe-status")
    assert len(first) == before + 1
    assert first[0].startswith("# pc-a serves\n")
    serving.three.nodes["pc-b"].power_cut()
    run_state(health_check, serving.site_file)
    run_state(health_check, serving.site_file)
    second = versions("joe-status")
    assert len(second) == before + 2
    assert "could pc-b take over now: no: pc-b is unreachable" in second[0]


def test_a_status_by_hand_is_the_artifact_until_something_changes(prefect: None) -> None:
    """Nobody writes a note meanwhile: how many there are is a part of the screen."""
    with ground(write_seconds=3600) as place:
        place.serve()
        memory_sync(place.site_file)
        run_state(health_check, place.site_file)
        before = len(versions("joe-status"))
        status(place.site_file)
        status(place.site_file)
        run_state(health_check, place.site_file)
        now = versions("joe-status")
    assert len(now) == before + 1
    assert "| memory " in now[0]


def test_a_write_that_fails_is_tried_again_by_the_next_check(prefect: None, tmp_path: Path) -> None:
    """Prefect refuses a key with blanks: a warning, and nothing counts as written."""
    watchdog = site().watchdog.model_copy(update={"state": tmp_path})

    @flow
    def check(name: str) -> None:
        keep_current(site(site=name, watchdog=watchdog), "# pc-a serves\n", "pc-a serves")

    check("not a key")
    assert read_summary(site(watchdog=watchdog)) == ""
    check("lone")
    check("lone")
    assert len(versions("lone-status")) == 1
    assert read_summary(site(watchdog=watchdog)) == "# pc-a serves\n"


@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_a_server_that_is_away_delays_a_check_by_seconds(
    prefect: None, tmp_path: Path, answers: str, caplog: pytest.LogCaptureFixture
) -> None:
    here = site(watchdog=site().watchdog.model_copy(update={"state": tmp_path}))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers == "is silent":
            server.listen()
        away = {PREFECT_API_URL: f"http://127.0.0.1:{server.getsockname()[1]}/api"}

        @flow
        def check() -> float:
            begun = time.monotonic()
            with temporary_settings(updates=away):
                keep_current(here, "# pc-a serves\n", "pc-a serves")
            return time.monotonic() - begun

        took = check()
    print(f"the write was given up after {took:.1f} s")
    assert took < 8
    assert "the status was not written" in caplog.text
    assert read_summary(here) == ""
