"""A Prefect server on T440 with a home of its own: never the user's profile, port or database."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployments.pools import POOLS, worker_words
from deployments.settings import make_place, read_settings

from .keeper import keeper_argv
from .machine import Machine
from .prefect_api import PrefectApi, request_json
from .processes import wait_until

FIRST_PORT = 4200
PROJECT = Path(__file__).parents[2]
START_SECONDS = 90.0
# For a site whose times are shortened: a schedule must not be shorter than the worker's query.
FAST = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_PREFETCH_SECONDS": "3"}


class PrefectServer(PrefectApi):
    """Server, pools, deployments and workers, all of them processes of T440.

    `address` is that of the UI. `settings`: more PREFECT_ variables for all of them.
    """

    def __init__(self, t440: Machine, settings: Mapping[str, str] | None = None) -> None:
        self.t440 = t440
        self.home = t440.home / "prefect"
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        self.port = first_free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.address}/api"
        self.environment = {**make_environment(self.home, self.api), **(settings or {})}

    def start(self) -> None:
        """Start the server, again whenever it ends, and wait until it answers.

        Raises TimeoutError with its log's place.
        """
        place = ("--host", "127.0.0.1", "--port", str(self.port))
        argv = (sys.executable, "-m", "deployments.server", *place)
        log = self.t440.log / "prefect-server.log"
        environment = {**self.environment, "PYTHONPATH": str(PROJECT)}
        self.t440.spawn(keeper_argv(*argv), environment, log)
        wait_until(self.answers, START_SECONDS, f"the Prefect server answers (see {log})")

    def deploy(self, document: Mapping[str, Any], site_file: Path) -> None:
        """Make the work pools and deploy everything in `document` (prefect.yaml's content)."""
        self.run("deployments.pools")
        file = self.home / "prefect.yaml"
        file.write_text(yaml.safe_dump(dict(document), sort_keys=False))
        variables = {
            "DUALJOE_ROOT": str(PROJECT),
            "DUALJOE_SITE": str(site_file),
            "DUALJOE_PYTHON": sys.executable,
        }
        words = ("--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        self.run("prefect", *words, **variables)

    def start_workers(self) -> None:
        """One worker a pool, started again whenever it ends."""
        environment = {**self.environment, "PYTHONPATH": str(PROJECT)}
        for pool in POOLS:
            argv = (sys.executable, "-m", *worker_words(pool).split())
            self.t440.spawn(keeper_argv(*argv), environment, self.t440.log / f"worker-{pool}.log")

    def run(self, *words: str, **variables: str) -> str:
        """One program, `python -m words`, in the project's folder; returns what it printed.

        Raises RuntimeError with the end of its output when it fails.
        """
        environment = {**self.t440.environment, **self.environment, **variables}
        done = subprocess.run(
            (sys.executable, "-m", *words),
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {(done.stdout + done.stderr)[-800:]}")
        return done.stdout

    def request(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST `body`, or GET when there is none, as JSON. Raises OSError."""
        return request_json(self.api + path, body)


def make_environment(home: Path, api: str) -> dict[str, str]:
    """The project's settings and a place for them."""
    return {**read_settings(), **make_place(home, api)}


def first_free_port(first: int = FIRST_PORT) -> int:
    """`first`, or the next port that nobody listens on."""
    for port in range(first, first + 200):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no free port from {first} to {first + 199}")
