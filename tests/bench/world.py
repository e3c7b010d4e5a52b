"""Three machines on loopback with a Prefect of their own, at the real times; pc-a serves."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from deployments.demo.prefect_server import PROJECT, PrefectServer
from deployments.demo.processes import wait_until
from deployments.demo.story import is_live
from deployments.demo.three import NODES, T440, ThreeMachines
from tasks.core.times import Times
from tasks.remote.nodes import close_site
from tests.bench.progress import say
from tests.node.terms_ground import power_on_with_free_votes
from tests.site_machines import Ground

CHECK, SYNC = "health-check/joe", "memory-sync/joe"
PRIMARY, DR = "backup-primary-tier/joe", "backup-dr-tier/joe"
IN_A_PROCESS = "health-check/in-a-process"
READY_SECONDS = 90.0
# The stand-in starts as slowly as the real one is expected to, and writes next to nothing.
QUIET: dict[str, Any] = {"start_seconds": Times().start_seconds, "write_seconds": 3600.0}


class World(Ground):
    """The machines and Prefect; only the health check has its schedule, the rest is ordered."""

    def __init__(self, three: ThreeMachines, server: PrefectServer) -> None:
        super().__init__(three, three.root, {})
        self.server = server
        self._ids: dict[str, str] = {}

    def id_of(self, deployment: str) -> str:
        """The deployment's id; the server is asked once."""
        if deployment not in self._ids:
            found = self.server.request(f"/deployments/name/{deployment}")
            self._ids[deployment] = str(found["id"])
        return self._ids[deployment]

    def order(self, deployment: str, after: float = 0.0) -> str:
        """Order a run that is due in so many seconds; returns its id."""
        due = (datetime.now(UTC) + timedelta(seconds=after)).isoformat()
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
        path = f"/deployments/{self.id_of(deployment)}/create_flow_run"
        return str(self.server.request(path, {"parameters": {}, "state": state})["id"])

    def order_at_once(self, deployment: str) -> str:
        """Order a run as T440's voter does, which wakes the worker of checks; returns its id."""
        run = self.order(deployment)
        (self.server.home / "worker-watch.wake").touch()
        return run

    def finish(self, deployment: str) -> None:
        """Order a run and wait for its end. Raises RuntimeError unless it completes."""
        self.require_completed([self.server.wait_for_run(self.order(deployment), READY_SECONDS)])

    def read_runs(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """These runs, all of which have ended. Raises RuntimeError when one did not complete."""
        runs = [self.server.wait_for_run(run, READY_SECONDS) for run in ids]
        self.require_completed(runs)
        return runs

    @staticmethod
    def require_completed(runs: Sequence[dict[str, Any]]) -> None:
        """A number about a run that failed would tell nothing."""
        for run in runs:
            if run["state_type"] != "COMPLETED":
                raise RuntimeError(f"{run['name']}: {run['state_name']}: {run['state']['message']}")

    def await_live(self, name: str, seconds: float = READY_SECONDS) -> float:
        """Until the node's gateway answers /healthz; returns the seconds it took."""
        port = self.three.nodes[name].gateway_port
        return wait_until(lambda: is_live(port), seconds, f"{name} serves")

    def await_standby(self, name: str) -> None:
        """Until the node's guard runs and knows that it stands by."""
        wait_until(lambda: self.guard(name) == "standby", READY_SECONDS, f"{name} stands by")


@contextlib.contextmanager
def world(settings: Mapping[str, str] | None = None, **openclaw: Any) -> Iterator[World]:
    """Everything runs, pc-a serves and pc-b has its memory; all of it is gone afterwards.

    `settings` are Prefect's where they differ from T440's, keywords the stand-in's.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dj"))
        say("setting up three machines with a Prefect")
        three = stack.enter_context(ThreeMachines(Path(folder) / "bench", **{**QUIET, **openclaw}))
        server = PrefectServer(three.t440, settings)
        wake = str(server.home / "worker-watch.wake")
        trigger = {"api": server.api, "deployment": CHECK, "wake": wake}
        document = {**three.node_document(T440), "trigger": trigger}
        three.t440.node_file.write_text(json.dumps(document))
        power_on_with_free_votes(three)
        made = World(three, server)
        stack.callback(close_site, made.site)
        made.write_record(1, NODES[0])
        server.start()
        server.deploy(make_deployments(), made.site_file)
        server.start_workers()
        made.await_live(NODES[0])
        made.await_standby(NODES[1])
        made.finish(SYNC)
        made.finish(CHECK)
        yield made


def make_deployments() -> dict[str, Any]:
    """prefect.yaml's content with the schedule of the health check alone, and that flow once more
    for the pool whose worker starts a process for each run."""
    document: dict[str, Any] = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    for deployment in document["deployments"]:
        schedules = deployment.get("schedules", [])
        deployment["schedules"] = [one for one in schedules if one["slug"] == "check"]
    checks = next(one for one in document["deployments"] if "health_check" in one["entrypoint"])
    copies = next(one for one in document["deployments"] if "memory_sync" in one["entrypoint"])
    twin = {**checks, "name": "in-a-process", "schedules": [], "work_pool": copies["work_pool"]}
    document["deployments"].append(twin)
    return document


def await_quiet_moment(interval: float) -> None:
    """Until a scheduled check has just ended: a span of `interval`s has equally many of them."""
    while not 5 <= time.time() % interval < 12:
        time.sleep(0.2)
