"""One flow run inside the worker's process: in a thread of its own, under a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sniffio
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import SettingsContext, SyncClientContext, get_settings_context
from prefect.flow_engine import run_flow_async, run_flow_sync
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY
from prefect.states import Cancelled, Crashed, Pending

from tasks import deadline
from tasks.deadline import Deadline


@dataclass(frozen=True)
class Limits:
    """In seconds: a run's deadline unless its flow sets one; after it, until its thread is given
    up. When the worker stops: for runs that have not committed, and for a move that has written.
    """

    run: float = 600.0
    grace: float = 15.0
    stop: float = 10.0
    stop_committed: float = 60.0
    hung: float = 5.0


class Running:
    """A run from its claim to its end; all but its thread's body belongs to the event loop.

    `recalled` is set when it must not begin any more; `ended` when its thread has come back.
    """

    def __init__(self, flow_run: FlowRun, due: datetime | None) -> None:
        self.flow_run, self.due = flow_run, due
        self.recalled = asyncio.Event()
        self.ended = asyncio.Event()
        self.let_go = ""  # why the worker does not wait for it any longer
        self.below: set[UUID] = set()  # the runs that it started, when it was cancelled
        self.deadline: Deadline | None = None  # None until it begins
        self.state: State[Any] | None = None
        self.error: BaseException | None = None

    def begin(self, flow: Flow[Any, Any], seconds: float, warm: Context) -> None:
        """Start the thread; `seconds` is its deadline until the flow sets its own.

        `warm` is from `make_warm`, and of nobody else until the thread has ended.
        """
        self.deadline = Deadline(seconds)
        loop = asyncio.get_running_loop()
        context = warm.copy()
        context.run(deadline.current.set, self.deadline)

        def body() -> None:
            try:
                self.state = run_here(flow, self.flow_run)
            except BaseException as error:  # Prefect's Abort, and what its engine could not report
                self.error = error
            finally:
                with contextlib.suppress(RuntimeError):  # abandoned: the loop is closed
                    loop.call_soon_threadsafe(self.ended.set)

        # daemon: a thread that hangs must not keep the process from ending
        name = f"run-{self.flow_run.name}"
        threading.Thread(target=context.run, args=(body,), name=name, daemon=True).start()

    def cancel(self, why: str) -> bool:
        """End it before its next effect; False when it has committed and goes on to its end."""
        return self.deadline is None or self.deadline.cancel(why)

    def late_seconds(self) -> float:
        """Seconds since its deadline; below 0 before it."""
        return -1.0 if self.deadline is None else self.deadline.late_seconds()

    def verdict(self) -> State[Any] | None:
        """What is to be reported of a run because its own thread did not; None: nothing."""
        limit = self.deadline
        if self.let_go and not self.ended.is_set():
            return Crashed(message=self.let_go)
        if limit and limit.cancelled and limit.refused:
            return Cancelled(message=limit.cancelled)
        if self.error is not None:
            return Crashed(message=f"{type(self.error).__name__}: {self.error}")
        if self.state is None or not self.state.is_final():
            goes_on = ", but it had written and went on to its end"
            return Cancelled(message="cancelled" + (goes_on if limit and limit.committed else ""))
        return None

    async def wait(self, condition: asyncio.Event, seconds: float) -> bool:
        """Whether `condition` (one of the two above) came true within so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(condition.wait(), max(0.0, seconds))
        return condition.is_set()


def make_warm() -> Context:
    """A context in which runs, one after the other, share one open client of Prefect's.

    A client of its own costs each run more than all else that it does, and heartbeats cost it a
    second at its end: they only ever go to sleep for whole seconds, and nobody here needs them.
    Raises httpx.HTTPError when the server is away.
    """
    context = contextvars.copy_context()
    known = get_settings_context()
    settings = known.settings.copy_with_update({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    context.run(sniffio.current_async_library_cvar.set, None)  # no event loop in there
    context.run(SettingsContext(profile=known.profile, settings=settings).__enter__)
    context.run(SyncClientContext().__enter__)
    return context


def run_here(flow: Flow[Any, Any], flow_run: FlowRun) -> State[Any]:
    """Run a claimed flow run in this thread, and report its states as Prefect's engine does.

    Raises what the engine raises when it could not report.
    """
    # The engine reads the run again before it calls the flow. Until then it is told of no
    # deployment: for one it would open a websocket for each run, to hear of a suspension.
    known = flow_run.model_copy(update={"state": Pending(), "deployment_id": None})
    engine: Callable[..., Any] = run_flow_async if flow.isasync else run_flow_sync
    ended = engine(flow=flow, flow_run=known, parameters=flow_run.parameters, return_type="state")
    state: State[Any] = asyncio.run(ended) if flow.isasync else ended
    return state
