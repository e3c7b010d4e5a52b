"""A bar in Prefect's UI for what takes a while: how much of a pull has come."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.logging import get_run_logger

from tasks.core.site import Site
from tasks.remote.nodes import node
from tasks.runs import BRIEF_SECONDS, brief_client, run_id

SILENT_SECONDS = 5.0
EVERY_SECONDS = 2.0
ASK_SECONDS = 10.0
NOT_YET = 0.99  # what is copied is still to be checked


@contextlib.contextmanager
def pull_progress(site: Site, receiver: str, store: str, size: int) -> Iterator[None]:
    """While the block pulls `size` bytes into a store of a node, show how much of it is there.

    The artifact is `<site>-pull-<store>`; what takes less than 5 s has none. Nothing that goes
    wrong with it touches the pull.
    """
    order = {"store": store}

    def read() -> float:
        there = node(site, receiver).call("store incoming", order, seconds=ASK_SECONDS)
        return min(NOT_YET, int(there["bytes"]) / max(1, size))

    key = f"{site.site}-pull-{store.replace('/', '-')}"
    with shown(key, f"How much of {store} has come to {receiver}", read):
        yield


@contextlib.contextmanager
def shown(key: str, about: str, read: Callable[[], float]) -> Iterator[None]:
    """A bar from 0 to 1 by `read` while the block of a run lasts longer than 5 s; full at its good
    end.
    """
    if run_id() is None:
        yield
        return
    bar = _Bar(key, about, read)
    teller = threading.Thread(target=copy_context().run, args=(bar.tell,), daemon=True)
    teller.start()
    try:
        yield
        bar.is_done = True
    finally:
        bar.ended.set()
        teller.join(2 * BRIEF_SECONDS)


class _Bar:
    """What one thread tells beside another one's work."""

    def __init__(self, key: str, about: str, read: Callable[[], float]) -> None:
        self.key, self.about, self.read = key, about, read
        self.ended, self.is_done = threading.Event(), False

    def tell(self) -> None:
        """Until the end. A Prefect or node that does not answer ends the bar, not the work."""
        if self.ended.wait(SILENT_SECONDS):
            return
        try:
            with brief_client() as client:
                self._tell(client)
        except Exception as error:  # the work itself says what is the matter
            get_run_logger().info("the progress is not shown any more: %s", error)

    def _tell(self, client: SyncPrefectClient) -> None:
        bar = ArtifactCreate(
            key=self.key,
            type="progress",
            data=0.0,
            description=self.about,
            flow_run_id=run_id(),
        )
        made = client.create_artifact(bar)
        while not self.ended.wait(EVERY_SECONDS):
            client.update_artifact(made.id, ArtifactUpdate(data=round(100 * self.read(), 1)))
        if self.is_done:
            client.update_artifact(made.id, ArtifactUpdate(data=100.0))
