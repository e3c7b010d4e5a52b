"""The worker of pool `data`: Prefect's own, which leaves nothing Running that is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.processes import descendants, process_table, send, wait_until
from deployments.pools import worker_words
from tests.worker.place import PROJECT, Place, Server

SECONDS = 40.0


class DataPlace(Place):
    """Pool `data`, whose runs are processes; `start` and `kill` are of its worker with them."""

    def __init__(self, server: Server, root: Path) -> None:
        argv = (sys.executable, "-m", "deployments.pools")
        subprocess.run(argv, env=server.environment, cwd=PROJECT, check=True)
        super().__init__(server, root, pool="data")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        argv = (sys.executable, "-m", *worker_words("data").split())
        with (self.root / "worker.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    argv,
                    env=self.environment,
                    cwd=PROJECT,
                    stdout=log,
                    stderr=log,
                )
            )

    def kill(self) -> None:
        """As systemd does it: the worker, and all that it started."""
        for process in self._processes:
            started = descendants(process.pid, process_table())
            process.kill()
            send(started, signal.SIGKILL)
            process.wait()

    def log(self) -> str:
        return (self.root / "worker.log").read_text()


@pytest.fixture
def data(server: Server, tmp_path: Path) -> Iterator[DataPlace]:
    made = DataPlace(server, tmp_path)
    yield made
    made.kill()


def test_what_a_killed_worker_left_is_reported_and_the_next_run_goes_on(data: DataPlace) -> None:
    data.start()
    left = data.run("meet", name="a")
    data.wait_until_said("at a", seconds=SECONDS)
    data.kill()
    assert data.state(left) == "Running"
    data.run("quick", name="waited")
    data.start()
    wait_until(lambda: data.state(left) == "Crashed", SECONDS, "it is reported")
    assert "the worker that ran it is gone" in data.message(left)
    data.wait_until_said("quick waited", seconds=SECONDS)
    assert "left by an earlier worker" in data.log()


def test_a_second_worker_of_the_pool_refuses(data: DataPlace) -> None:
    data.start()
    run = data.run("quick", name="first")
    data.wait_until_said("quick first", seconds=SECONDS)
    argv = (sys.executable, "-m", *worker_words("data").split())
    second = subprocess.run(
        argv, env=data.environment, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS
    )
    assert second.returncode == 1
    assert "pool data has a worker already" in second.stderr
    wait_until(lambda: data.state(run) == "Completed", SECONDS, "the first goes on")
