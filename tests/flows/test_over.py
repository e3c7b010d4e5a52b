"""Real flows whose run is cancelled or too late, as the in-process worker ends them."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from flows.health_check import health_check
from flows.recovery import switchover
from tasks import deadline
from tasks.core.errors import DeadlineExceeded, RunCancelled
from tasks.core.state import Health, Record
from tasks.deadline import Deadline
from tasks.record import read_record
from tests.site_machines import Ground


@contextmanager
def run_under(limit: Deadline, flow: Callable[[], Any]) -> Iterator[Future[Any]]:
    """The flow in a thread of its own, under this deadline."""
    context = contextvars.copy_context()
    context.run(deadline.current.set, limit)
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(context.run, flow)


def test_a_move_that_is_cancelled_while_an_agent_works_changes_nothing(serving: Ground) -> None:
    limit = Deadline(600)
    serving.fault("pc-a", "run")
    with run_under(limit, lambda: switchover(60, serving.site_file)) as moved:
        wait_until(lambda: serving.guard("pc-a") == "draining", 30, "pc-a is drained")
        assert limit.cancel("by hand")
        with pytest.raises(RunCancelled, match="by hand"):
            moved.result(30)
    serving.fault("pc-a", "run", on=False)
    wait_until(lambda: serving.guard("pc-a") != "draining", 20, "the drain has lapsed")
    serving.await_health("pc-a", Health.OK)
    assert read_record(serving.site) == Record(1, "pc-a")


def test_a_move_that_is_cancelled_after_its_write_is_completed(serving: Ground) -> None:
    limit = Deadline(600)
    with run_under(limit, lambda: switchover(5, serving.site_file)) as moved:
        wait_until(lambda: read_record(serving.site) == Record(2, "pc-b"), 60, "the write")
        assert not limit.cancel("by hand")
        assert moved.result(60).serves
    assert serving.health("pc-b") is Health.OK


def test_a_check_that_took_too_long_decides_nothing(serving: Ground) -> None:
    limit = Deadline(600)
    limit.begun -= 2 * serving.site.times.look_limit_seconds
    serving.three.nodes["pc-a"].power_cut()
    with (
        run_under(limit, lambda: health_check(serving.site_file)) as checked,
        pytest.raises(DeadlineExceeded),
    ):
        checked.result(60)
    assert read_record(serving.site) == Record(1, "pc-a")
