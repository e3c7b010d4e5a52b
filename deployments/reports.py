"""What the worker tells Prefect of runs that cannot tell it themselves, however long it is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from logging import Logger, LoggerAdapter
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Crashed

CANCELLING = [StateType.CANCELLING]
AnyLogger = Logger | LoggerAdapter[Logger]
ANSWER_SECONDS = 5.0
TAKEN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
ORPHANED = "the worker that ran it is gone (killed, or T440 lost power)"


class Reports:
    """Final states, kept until the server has taken them; `client` says which client to use."""

    def __init__(self, client: Callable[[], PrefectClient], logger: AnyLogger) -> None:
        self.client, self.logger = client, logger
        self.waiting: dict[UUID, State[Any]] = {}

    async def tell(self, run: UUID, state: State[Any]) -> None:
        """End a run, and every unfinished run below it. Raises httpx.HTTPError, to be tried again.

        A run that ended by itself keeps its state; but one that failed because it was cancelled
        becomes Cancelled.
        """
        self.waiting[run] = state
        for child in await read_runs_below(self.client(), [run], TAKEN):
            await self.tell(child.id, state)
        try:
            now = (await self.client().read_flow_run(run)).state
            is_over = now is not None and now.is_final()
            if not is_over or (now is not None and now.is_failed() and state.is_cancelled()):
                await self.client().set_flow_run_state(run, state, force=True)
        except ObjectNotFound:
            pass  # somebody deleted it
        del self.waiting[run]

    async def tell_again(self) -> None:
        """What the server did not take before. Raises httpx.HTTPError."""
        for run, state in list(self.waiting.items()):
            await self.tell(run, state)

    async def try_to_tell(self, run: UUID, state: State[Any]) -> None:
        """Tell the server now, or when it is back."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.tell(run, state)
        except Exception as error:
            self.logger.warning("run %s is not yet reported: %r", run, error)

    async def try_to_set(self, run: UUID, state: State[Any]) -> None:
        """Tell the server once; when it does not answer, the run stays as it was."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.client().set_flow_run_state(run, state, force=not state.is_cancelling())

    async def mark_cancelling(self, run: UUID) -> set[UUID]:
        """Make a run, and all that it started, Cancelling; returns what it started."""
        below: set[UUID] = set()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(ANSWER_SECONDS):
                below = {one.id for one in await read_runs_below(self.client(), [run], TAKEN)}
        for one in (*below, run):
            await self.try_to_set(one, Cancelling())
        return below

    async def read_cancelling(self, runs: Sequence[UUID]) -> list[UUID]:
        """Those of these runs that somebody cancelled, themselves or a run that they started."""
        wanted = in_states(CANCELLING)
        found = {run.id for run in await self.client().read_flow_runs(flow_run_filter=wanted)}
        if found <= set(runs):  # nearly always there is none
            return list(found)
        below = [run for run in runs if await read_runs_below(self.client(), [run], CANCELLING)]
        return [run for run in runs if run in found or run in below]

    async def tell_orphans(self, pool: str) -> list[FlowRun]:
        """Report every run of the pool that was taken and is not over as Crashed; returns them.

        Right only before this worker takes its first run, and while it is the only one.
        """
        pools = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
        told: list[FlowRun] = []
        while found := await self.client().read_flow_runs(
            flow_run_filter=in_states(TAKEN), work_pool_filter=pools, limit=200
        ):
            for run in found:
                await self.tell(run.id, Crashed(message=ORPHANED))
            told += found
        return told


async def read_runs_below(
    client: PrefectClient, parents: Sequence[UUID], states: Sequence[StateType]
) -> list[FlowRun]:
    """The runs, in one of these states, that these runs started as a part of themselves."""
    wanted = in_states(states)
    wanted.parent_flow_run_id = FlowRunFilterParentFlowRunId(any_=list(parents))
    return await client.read_flow_runs(flow_run_filter=wanted, limit=200)


def in_states(states: Sequence[StateType]) -> FlowRunFilter:
    """Runs in one of these states."""
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states))))
