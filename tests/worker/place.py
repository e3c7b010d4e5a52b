"""A real Prefect server, and the worker as a process of its own on a folder with small flows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.demo.prefect_api import PrefectApi, request_json
from deployments.demo.prefect_server import first_free_port, make_environment
from deployments.demo.processes import wait_until

PROJECT = Path(__file__).parents[2]
EXAMPLES = Path(__file__).with_name("examples.py")
STEP = "prefect.deployments.steps.set_working_directory"
GRACE_SECONDS = 1.0
ONE_STARTS = threading.Lock()


class Server(PrefectApi):
    """Prefect's server on a home of its own."""

    next_port = 4700

    def __init__(self, home: Path, **settings: str) -> None:
        (home / "tmp").mkdir(parents=True)
        self.home = home
        self.log = (home / "server.log").open("wb")
        with ONE_STARTS:  # or two would find the same port free
            self.port = Server.next_port = first_free_port(Server.next_port)
            Server.next_port += 1  # never again: its server may only be away
            self.api = f"http://127.0.0.1:{self.port}/api"
            fast = {"PREFECT_WORKER_QUERY_SECONDS": "0.5", "PYTHONPATH": str(PROJECT)}
            place = make_environment(home, self.api)
            self.environment = {**os.environ, **place, **fast, **settings}
            self.start()

    def start(self) -> None:
        argv = (sys.executable, "-m", "deployments.server", "--port", str(self.port))
        self.process = subprocess.Popen(
            argv, env=self.environment, stdout=self.log, stderr=self.log, cwd=PROJECT
        )
        wait_until(self.answers, 90, "the Prefect server answers")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def request(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return request_json(self.api + path, body)


class Worker:
    """One process of the worker, with what it logged."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            argv, env=dict(environment), cwd=PROJECT, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(self.process.stderr)
        self.process.stderr.close()

    def said(self, words: str) -> bool:
        return any(words in line for line in self.lines)

    def wait_until_said(self, words: str, seconds: float = 20) -> None:
        wait_until(lambda: self.said(words), seconds, f"the worker says {words!r}: {self.lines}")

    def end(self, number: signal.Signals, seconds: float = 30) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = 30) -> int:
        code = self.process.wait(seconds)
        self._reader.join()
        return code


class Place:
    """A folder with the flows of `examples`, and a pool of its own unless `pool` is there."""

    def __init__(self, server: Server, root: Path, pool: str = "") -> None:
        self.server, self.root, self.pool = server, root, pool or root.name
        self.workers: list[Worker] = []
        self._deployments: dict[str, str] = {}
        (root / "flows").mkdir()
        (root / "flows/__init__.py").touch()
        shutil.copy(EXAMPLES, root / "flows/examples.py")
        if not pool:
            server.request("/work_pools/", {"name": self.pool, "type": "in-process"})

    def start_worker(self, **settings: str) -> Worker:
        """Start the worker, and wait until it takes runs."""
        worker = self.spawn(**settings)
        worker.wait_until_said("takes the runs of pool")
        return worker

    def spawn(self, **settings: str) -> Worker:
        words = ("--pool", self.pool, "--root", str(self.root), "--limit", "4")
        argv = (sys.executable, "-m", "deployments.worker", *words)
        self.workers.append(
            Worker((*argv, "--grace-seconds", str(GRACE_SECONDS)), self.environment | settings)
        )
        return self.workers[-1]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.server.environment)

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.end(signal.SIGKILL)

    def deploy(self, flow: str) -> str:
        """The id of the deployment of a flow of the examples; made at the first call."""
        if flow not in self._deployments:
            flow_id = self.server.request("/flows/", {"name": flow.replace("_", "-")})["id"]
            made = self.server.request(
                "/deployments/",
                {
                    "name": self.root.name,
                    "flow_id": flow_id,
                    "entrypoint": f"flows/examples.py:{flow}",
                    "pull_steps": [{STEP: {"directory": str(self.root)}}],
                    "work_pool_name": self.pool,
                },
            )
            self._deployments[flow] = made["id"]
        return self._deployments[flow]

    def run(self, flow: str, after: float = 0.0, **parameters: Any) -> str:
        """Order a run that is due in so many seconds; returns its id."""
        due = (datetime.now(UTC) + timedelta(seconds=after)).isoformat()
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
        path = f"/deployments/{self.deploy(flow)}/create_flow_run"
        return str(self.server.request(path, {"parameters": parameters, "state": state})["id"])

    def cancel(self, run: str) -> None:
        """As the button in Prefect's UI does."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.server.request(f"/flow_runs/{run}/set_state", {"state": state})

    def state(self, run: str) -> str:
        return str(self.server.request(f"/flow_runs/{run}")["state_name"])

    def message(self, run: str) -> str:
        return str(self.server.request(f"/flow_runs/{run}")["state"]["message"])

    def wait_for_state(self, run: str, name: str, seconds: float = 20) -> None:
        def ended() -> bool:
            found = self.state(run)
            if found in ("Completed", "Failed", "Crashed", "Cancelled") and found != name:
                raise AssertionError(f"{found}, not {name}: {self.message(run)}")
            return found == name

        wait_until(ended, seconds, f"run {run} is {name}, {self.workers[-1].lines}")

    def parts(self, flow: str) -> list[dict[str, Any]]:
        """The runs of a flow that were started by another flow's run."""
        body = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC"}
        found: list[dict[str, Any]] = self.server.request("/flow_runs/filter", body)
        return found

    def open(self, gate: str = "open") -> None:
        (self.root / gate).touch()

    def said(self) -> list[tuple[float, str]]:
        """What the flows said, with the moments."""
        file = self.root / "said"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(float(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]

    def wait_until_said(self, *lines: str, seconds: float = 20) -> None:
        def all_said() -> bool:
            return set(lines) <= {line for _, line in self.said()}

        wait_until(all_said, seconds, f"the flows say {lines}")
