"""What a run knows of itself in Prefect: its name, its lateness, and whether a newer one is due."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType


def rename_run(name: str) -> None:
    """Give this run the name by which a person finds it in the list."""
    run_id = runtime.flow_run.id
    if run_id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run_id, name=name)


def late_seconds() -> float:
    """Seconds since this run was due; 0 when it was started by hand or by another run."""
    due = runtime.flow_run.scheduled_start_time
    if not runtime.flow_run.deployment_id or due is None:
        return 0.0
    return max(0.0, datetime.now(UTC).timestamp() - float(due.timestamp()))


def is_newer_due() -> bool:
    """Whether another run of the same deployment, later than this one, is due already.

    Then this one is left to it: one catch-up after a gap, never a flood.
    """
    deployment, due = runtime.flow_run.deployment_id, runtime.flow_run.scheduled_start_time
    if not deployment or due is None:
        return False
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(
                    type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
                ),
                expected_start_time=FlowRunFilterExpectedStartTime.model_validate(
                    {"after_": due, "before_": datetime.now(UTC)}
                ),
            ),
            limit=2,
        )
    mine = runtime.flow_run.id
    return any(str(run.id) != mine and (run.expected_start_time or due) > due for run in found)
