"""The worker of pool `watch`: runs flows in its own process, where they stay imported.

A run costs no new interpreter, and the ssh connections of `tasks.remote.nodes` stay open. The price
is that a thread cannot be killed: see `tasks.deadline`. When one hangs, the worker ends itself.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed, Scheduled
from prefect.workers.base import BaseJobConfiguration as Job
from prefect.workers.base import BaseVariables as Variables
from prefect.workers.base import BaseWorker, BaseWorkerResult

from deployments.imports import Flows
from deployments.reports import Reports
from deployments.rescheduling import Rescheduling
from deployments.running import Limits, Running, make_warm
from deployments.wake import Wake

TICK_SECONDS = 0.2
CANCEL_SECONDS = 2.0
TURN_SECONDS = 10.0
CLIENT_PAUSE_SECONDS = 45.0
CODE_SECONDS = 10.0
STOPPING = "the worker was told to stop"


class InProcessWorker(BaseWorker[Job, Variables, BaseWorkerResult]):
    """Takes the runs of one pool, each in a thread of its own; `serve` is its whole life."""

    type = "in-process"
    job_configuration = Job
    job_configuration_variables = Variables
    _description = "Runs flows inside the worker's process: for checks that must be quick."

    def __init__(self, pool: str, name: str, limit: int, root: Path, limits: Limits) -> None:
        # A run must be seen before it is due, or it begins late.
        self.query_seconds = get_current_settings().worker.query_seconds
        prefetch = math.ceil(self.query_seconds) + 1
        super().__init__(pool, name=name, limit=limit, prefetch_seconds=prefetch)
        self.limits, self.flows = limits, Flows(root)
        self.runs: dict[UUID, Running] = {}
        self.reports = Reports(lambda: self.client, self._logger)
        self.rescheduling = Rescheduling(lambda: self.client, self._logger)
        self.wake = Wake(get_current_settings().home / f"worker-{pool}.wake")
        self.stopping = asyncio.Event()
        self.hung = ""  # the sentence on a thread that was given up
        self._warm: list[Context] = []  # for the next runs; never more than ran at once
        self._due: dict[str, float] = {}  # what is done now and then -> its next time
        self._is_away = self._has_begun = False
        self._back_at = -CLIENT_PAUSE_SECONDS
        # Each run's own log would begin with two lines that say which worker has it.
        logging.getLogger("prefect.flow_runs.worker").setLevel(logging.WARNING)

    async def run(self, flow_run: FlowRun, configuration: Any, task_status: Any = None) -> Any:
        """Nothing that Prefect's own worker loop starts is run: see `_submit_run`."""
        raise NotImplementedError("this worker is started as python -m deployments.worker")

    async def serve(self, end_soon: Callable[[int], None]) -> int:
        """Take runs until `stopping` is set or a thread hangs; returns the exit code.

        `end_soon(code)` is called when nothing is left that is worth waiting for.
        """
        async with self:
            while not self.stopping.is_set():
                await self._unless_stopping(self._turn())
                await self._unless_stopping(self._pause())
            await self._wind_down()
            code = 3 if self.hung else 0
            end_soon(code)
        return code

    async def _unless_stopping(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, but not a moment longer than this worker lives: a server may answer never."""
        both = [asyncio.ensure_future(work), asyncio.ensure_future(self.stopping.wait())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()

    async def _pause(self) -> None:
        """Until the next query is due, or a run was ordered at once."""
        begun = time.monotonic()
        while not self.wake.was_touched():
            seconds = min(self.query_seconds, CANCEL_SECONDS) if self.runs else self.query_seconds
            if time.monotonic() - begun >= seconds:
                return
            await asyncio.sleep(min(TICK_SECONDS, seconds))

    async def _sync_and_initialize(self) -> None:
        """Nothing yet: the first turn does it, and again while the server is still starting."""

    async def _turn(self) -> None:
        """One look at the server; when it is away, nothing is lost but time."""
        try:
            async with asyncio.timeout(TURN_SECONDS):  # Prefect's client tries for over a minute
                await self._ask_server()
        except Exception as error:  # whatever it is, the next turn may go well
            if not self._is_away:
                self._logger.warning("Prefect's server gives no answer, will ask on: %r", error)
            self._is_away, self._due["sync"] = True, 0.0
            return
        if self._is_away:
            self._logger.warning("Prefect's server answers again")
            self._is_away, self._back_at = False, time.monotonic()
        if self._is_due("code", CODE_SECONDS) and (sentence := self.flows.is_outdated()):
            self._logger.warning("%s", sentence)

    async def _ask_server(self) -> None:
        if self._is_due("sync", self.heartbeat_interval_seconds):
            await self.sync_with_backend()
        if not self._has_begun:
            await self._begin()
        await self.reports.tell_again()
        await self.rescheduling.turn()
        await self.get_and_submit_flow_runs()
        if any(run.deadline for run in self.runs.values()):
            await self._hear_of_cancellations()

    def _waits_for_server(self) -> bool:
        """Whether runs may hang in Prefect's client: it pauses long between its last tries."""
        return self._is_away or time.monotonic() < self._back_at + CLIENT_PAUSE_SECONDS

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    async def _begin(self) -> None:
        """What an earlier worker left is reported, and every flow of the pool is imported."""
        for orphan in await self.reports.tell_orphans(self._work_pool_name):
            self._logger.warning("reported as Crashed: %s, left by an earlier worker", orphan.name)
        pools = WorkPoolFilter(name=WorkPoolFilterName(any_=[self._work_pool_name]))
        for deployment in await self.client.read_deployments(work_pool_filter=pools):
            if trouble := self.flows.try_to_load(deployment.entrypoint or ""):
                self._logger.error("%s", trouble)
        self._warm.append(await asyncio.to_thread(make_warm))
        self._has_begun = True
        self._logger.info("takes the runs of pool %s", self._work_pool_name)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """One run from its claim to its end, without the base class's six requests a run that
        prepare infrastructure."""
        try:
            if not self.stopping.is_set() and await self._propose_pending_state(flow_run):
                await self._carry(flow_run)
        except Exception as error:
            self._logger.exception("%s could not be run", flow_run.name)
            message = f"{type(error).__name__}: {error}"
            await self.reports.try_to_tell(flow_run.id, Crashed(message=message))
        finally:
            self.runs.pop(flow_run.id, None)
            self._release_limit_slot(flow_run.id)
            self._submitting_flow_run_ids.discard(flow_run.id)

    async def _carry(self, flow_run: FlowRun) -> None:
        running = Running(flow_run, flow_run.next_scheduled_start_time)
        self.runs[flow_run.id] = running
        if flow_run.deployment_id is None:
            raise ValueError("a run without a deployment has no place from which to import it")
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        flow = self.flows.load(deployment.entrypoint or "")
        warm = self._warm.pop() if self._warm else await asyncio.to_thread(make_warm)
        if self.stopping.is_set():
            running.recalled.set()
        early = (running.due - datetime.now(UTC)).total_seconds() if running.due else 0.0
        if early > 0:  # never longer than it was taken early: the wall clock may be set
            await running.wait(running.recalled, min(early, self._prefetch_seconds))
        if running.recalled.is_set():
            self._warm.append(warm)
            return await self._give_back(running)
        running.begin(flow, self.limits.run, warm)
        while not await running.wait(running.ended, TICK_SECONDS):
            if running.late_seconds() > self.limits.grace and not self._waits_for_server():
                running.let_go = f"its thread hangs, {self.limits.grace:g} s after its deadline"
                self.hung = f"{flow_run.name}: {running.let_go}"
                self.stopping.set()
            if running.let_go:
                break
        if running.ended.is_set():
            self._warm.append(warm)
        for child in running.below:
            await self.reports.try_to_tell(child, Cancelled(message=f"with {flow_run.name}"))
        if (verdict := running.verdict()) is not None:
            await self.reports.try_to_tell(flow_run.id, verdict)

    async def _give_back(self, running: Running) -> None:
        """A run that had not begun: it waits for the next worker, unless a person cancelled it."""
        run_id = running.flow_run.id
        if self.stopping.is_set():
            await self.reports.try_to_set(run_id, Scheduled(scheduled_time=running.due))
        else:
            await self.reports.try_to_tell(run_id, Cancelled(message="cancelled before it began"))

    async def _hear_of_cancellations(self) -> None:
        """What somebody cancels in Prefect, a run or a part of it, ends before its next effect."""
        if not self._is_due("cancel", CANCEL_SECONDS):
            return
        for run_id in await self.reports.read_cancelling(list(self.runs)):
            if run_id in self.runs:
                await self._cancel(self.runs[run_id], "cancelled in Prefect")

    async def _cancel(self, running: Running, why: str) -> None:
        """End a run before its next effect, unless it has committed.

        In Prefect it is Cancelling first, with all that it started: else it would be Failed for a
        moment, and those who watch for failures would hear of it.
        """
        if running.recalled.is_set():
            return
        running.recalled.set()
        if running.deadline and not running.deadline.committed and not self._is_away:
            running.below = await self.reports.mark_cancelling(running.flow_run.id)
        ends = "ends before its next effect" if running.cancel(why) else "goes on to its end"
        self._logger.warning("%s, %s: it %s", running.flow_run.name, why, ends)

    async def _wind_down(self) -> None:
        """Take no run any more; let the others end, within limits."""
        self.stopping.set()
        why = f"{STOPPING}: {self.hung}" if self.hung else STOPPING
        self._logger.warning("%s", why)
        begun = time.monotonic()
        await asyncio.gather(*(self._cancel(run, why) for run in list(self.runs.values())))
        while self._submitting_flow_run_ids:
            since = time.monotonic() - begun
            for running in self.runs.values():
                committed = running.deadline and running.deadline.committed
                limit = self.limits.stop_committed if committed else self.limits.stop
                if since > (self.limits.hung if self.hung else limit):
                    running.let_go = running.let_go or f"{why}, and it did not end"
            await asyncio.sleep(TICK_SECONDS / 2)
            if since > self.limits.stop_committed + self.limits.stop:
                return  # the server does not answer: nothing more can be reported
        for run_id, state in list(self.reports.waiting.items()):
            await self.reports.try_to_tell(run_id, state)
