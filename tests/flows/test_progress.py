"""What takes a while shows in Prefect's UI how far it has come."""

from __future__ import annotations

import signal
import threading

import pytest
from prefect import flow

from deployments.demo.processes import send, wait_until
from flows.memory_sync import memory_sync
from tasks.progress import shown
from tests.flows.runs import run_state, versions
from tests.site_machines import Ground

SECONDS = 30
MB = 1 << 20


def bar(key: str) -> float | None:
    """What the newest bar of that key shows, 0 to 100."""
    found = versions(key)
    return float(found[0]) if found else None


@flow
def takes_a_while(key: str, fails: bool) -> None:
    with shown(key, "How much has come", lambda: 0.5):
        wait_until(lambda: bar(key) == 50, SECONDS, "the bar shows a half")
        if fails:
            raise ValueError("it broke")


def test_what_lasts_has_a_bar_that_is_full_at_the_end(prefect: None) -> None:
    takes_a_while("lasts", False)
    assert bar("lasts") == 100


def test_what_breaks_leaves_its_bar_where_it_was(prefect: None) -> None:
    with pytest.raises(ValueError, match="it broke"):
        takes_a_while("breaks", True)
    assert bar("breaks") == 50


def test_what_is_done_at_once_has_none(prefect: None) -> None:
    @flow
    def quick() -> None:
        with shown("quick", "How much has come", lambda: 0.5):
            pass

    quick()
    assert bar("quick") is None


def test_a_pull_that_takes_a_while_says_how_much_has_come(serving: Ground) -> None:
    serving.fault("pc-a", "crash-at-start")  # nothing is written meanwhile
    serving.call("pc-a", "gateway kill")
    large = serving.three.workspace("pc-a") / "memory/large.md"
    large.write_text("a line of a large note\n" * (200 * MB // 23))
    states = []
    sync = threading.Thread(
        target=lambda: states.append(run_state(memory_sync, serving.site_file)), daemon=True
    )
    sync.start()
    pc_a, stopped = serving.three.nodes["pc-a"], list[int]()

    def stop_the_sender() -> bool:
        stopped.extend(pc_a.running("rsync --server --sender"))
        send(stopped, signal.SIGSTOP)
        return bool(stopped)

    wait_until(stop_the_sender, SECONDS, "a sender is stopped", pause=0.002)
    try:
        wait_until(lambda: bar("joe-pull-memory") is not None, SECONDS, "there is a bar")
    finally:
        send(stopped, signal.SIGCONT)
    sync.join(60)
    assert states[0].is_completed()
    assert bar("joe-pull-memory") == 100
