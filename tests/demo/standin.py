"""One stand-in OpenClaw in a home of its own, with its command line, its faults and its gateway."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from deployments.demo.ground import pick_ports
from deployments.demo.openclaw.install import install, workspace
from deployments.demo.openclaw.lock import read_owner
from deployments.demo.processes import wait_until
from deployments.demo.sshd import port_is_open

from .conftest import SECONDS


class StandIn:
    """`home` is made in the constructor; the gateways that it started end with close()."""

    def __init__(self, home: Path, telegram_url: str = "", **settings: Any) -> None:
        self.home, self.state = home, home / ".openclaw"
        self.port = pick_ports().pc_a[1]
        behaviour = {"start_seconds": 0.2, "write_seconds": 1.0, **settings}
        self.program = install(home, self.port, telegram_url, **behaviour)
        self.gateways: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of the command line, without a terminal."""
        return subprocess.run(
            [str(self.program), *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def run_json(self, *words: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.run(*words, "--json").stdout)
        return document

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a gateway in the foreground of nobody; it may not serve yet."""
        argv = [str(self.program), "gateway", "run", "--port", str(self.port)]
        with (self.home / "gateway.log").open("ab") as log:
            nowhere = subprocess.DEVNULL
            gateway = subprocess.Popen(
                argv, env=self.environment, stdin=nowhere, stdout=log, stderr=log
            )
        self.gateways.append(gateway)
        return gateway

    def serve(self) -> subprocess.Popen[bytes]:
        """Start a gateway and wait until it is ready."""
        gateway = self.launch()
        self.wait_until_ready()
        return gateway

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.get("/readyz")[0] == 200, SECONDS, "the gateway is ready")

    def fault(self, name: str, value: str = "") -> Path:
        """Ask for a fault; removing the returned file ends it."""
        file = self.state / "faults" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(value)
        return file

    def get(self, path: str, method: str = "GET", seconds: float = 2.0) -> tuple[int, str]:
        """-> (status, body); status 0 when there is no answer, and body says why."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - http only
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except TimeoutError:
            return 0, "timeout"
        except OSError as error:
            return 0, "timeout" if "timed out" in str(error) else "refused"

    def log(self) -> str:
        return (self.home / "gateway.log").read_text()

    def workspace(self, agent: str = "main") -> Path:
        return workspace(self.home, agent)

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.kill()
            gateway.wait()
        if read_owner(self.state):  # what `gateway start` started
            self.run("gateway", "stop", "--force")
        wait_until(lambda: not port_is_open(self.port), SECONDS, "its port is closed")
