"""What a run left in Prefect and in T440's journal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort
from prefect.flow_engine import run_flow_sync
from prefect.states import Scheduled
from prefect.types._datetime import now

from tasks.journal import read_journal
from tests.site_machines import Ground


def run_state(flow: Flow[Any, Any], site_file: Path, **parameters: Any) -> State[Any]:
    """Run a flow here and return its final state, whatever it is."""
    return cast(State[Any], flow(site_file=site_file, **parameters, return_state=True))


def run_late(flow: Flow[Any, Any], site_file: Path, *lateness: float) -> State[Any]:
    """Schedule a deployment's runs so many seconds ago, run the first one here."""
    return run_scheduled(flow, schedule(flow, site_file, *lateness)[0])


def run_scheduled(flow: Flow[Any, Any], run: FlowRun) -> State[Any]:
    """Run one of `schedule`'s runs here, as a worker does."""
    parameters = flow.validate_parameters(run.parameters)
    state = run_flow_sync(flow, flow_run=run, parameters=parameters, return_type="state")
    return cast(State[Any], state)


def schedule(flow: Flow[Any, Any], site_file: Path, *lateness: float) -> list[FlowRun]:
    """Runs of a new deployment of `flow`, due so many seconds ago."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(flow)
        deployment = client.create_deployment(flow_id, name=f"late-{now()}")
        return [
            client.create_flow_run_from_deployment(
                deployment,
                parameters={"site_file": str(site_file)},
                state=Scheduled(scheduled_time=now() - timedelta(seconds=seconds)),
            )
            for seconds in lateness
        ]


def state_names(runs: list[FlowRun]) -> list[str]:
    """The states of these runs now."""
    with get_client(sync_client=True) as client:
        states = [client.read_flow_run(run.id).state for run in runs]
    return [state.name if state and state.name else "" for state in states]


def last_run(flow: Flow[Any, Any]) -> FlowRun:
    """The run of a flow that began last; one that is only scheduled does not count."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow.name])),
            flow_run_filter=FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False)),
            sort=FlowRunSort.START_TIME_DESC,
            limit=1,
        )
    return found[0]


def last_name(flow: Flow[Any, Any]) -> str:
    """The name of the run of a flow that began last."""
    return str(last_run(flow).name)


def task_states(run: FlowRun, task: str) -> list[str]:
    """The states of the task runs of this name below a flow run."""
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        )
    return [one.state_name or "" for one in found if one.name.startswith(f"{task}-")]


def alerts(place: Ground) -> list[tuple[str, str]]:
    """(level, text) of every alert so far."""
    entries = read_journal(place.site)
    return [(e["level"], e["text"]) for e in entries if e["kind"] == "alert"]


def versions(key: str) -> list[str]:
    """Every version of an artifact, the newest first."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
            sort=ArtifactSort.CREATED_DESC,
        )
    return [str(one.data) for one in found]
