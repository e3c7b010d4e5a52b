"""What a run knows of itself in Prefect: its name, its lateness, and whether a newer one is due."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed

BRIEF_SECONDS = 3.0
"""For what a run tells Prefect beside its work: a check must not wait for a server that is away."""


@contextlib.contextmanager
def brief_client() -> Iterator[SyncPrefectClient]:
    """Prefect's client, but it asks once and for 3 s; else it asks six times, for 70 s.

    It costs 40 ms of CPU, more than all else that a check does: for what is rare.
    """
    once = {PREFECT_CLIENT_MAX_RETRIES: 0}
    brief = {"timeout": BRIEF_SECONDS}
    with (
        temporary_settings(updates=once),
        get_client(sync_client=True, httpx_settings=brief) as client,
    ):
        yield client


def run_id() -> UUID | None:
    """The id of this run; None outside of any."""
    found = runtime.flow_run.id
    return UUID(found) if found else None


def rename_run(name: str) -> None:
    """Give this run the name by which a person finds it in the list."""
    this = run_id()
    if this is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(this, name=name)


def late_seconds() -> float:
    """Seconds since this run was due; 0 when it was started by hand or by another run."""
    due = runtime.flow_run.scheduled_start_time
    if not runtime.deployment.id or due is None:
        return 0.0
    return max(0.0, datetime.now(UTC).timestamp() - float(due.timestamp()))


def is_newer_due() -> bool:
    """Whether another run of the same deployment, later than this one, is due already.

    Then this one is left to it: one catch-up after a gap, never a flood.
    """
    due = runtime.flow_run.scheduled_start_time
    return due is not None and bool(_waiting_runs(after=due, before=datetime.now(UTC)))


def skip_overdue() -> int:
    """End every run of this deployment that is due and waits, but the newest; returns how many.

    Without it a busy machine would start a process for each of them, only to find it too old, and
    never come to one that is not.
    """
    now = datetime.now(UTC)
    waiting = _waiting_runs(after=now - timedelta(days=1), before=now)
    overdue = sorted(waiting, key=lambda run: run.expected_start_time or now)[:-1]
    with get_client(sync_client=True) as client:
        for run in overdue:
            skipped: State[None] = Completed(
                name="Stale", message="a newer check was due when a worker was free"
            )
            client.set_flow_run_state(run.id, skipped)
    return len(overdue)


def _waiting_runs(after: datetime, before: datetime) -> list[FlowRun]:
    """Other runs of this deployment that were due in that time and have not been taken yet."""
    deployment = runtime.deployment.id
    if not deployment:
        return []
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
                expected_start_time=FlowRunFilterExpectedStartTime.model_validate(
                    {"after_": after, "before_": before}
                ),
            ),
            limit=200,
        )
    mine = runtime.flow_run.id
    return [run for run in found if str(run.id) != mine and run.expected_start_time != after]


def last_completed(flow: str) -> datetime | None:
    """When a run of this flow last came to its end and was not too old to act; None for never."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(
                    type=FlowRunFilterStateType(any_=[StateType.COMPLETED, StateType.FAILED]),
                    name=FlowRunFilterStateName(not_any_=["Stale"]),
                ),
            ),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    return found[0].end_time if found else None
