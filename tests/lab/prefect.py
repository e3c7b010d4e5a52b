"""A real Prefect on the lab's T440: server and workers are units of its user, as at home.

They run Debian's own Python on the libraries of this project's .venv, read-only in every host.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from deployments.demo.prefect_api import PrefectApi
from deployments.pools import POOLS, worker_words
from deployments.schedules import with_intervals
from deployments.settings import make_place, read_settings
from tasks.core.site import parse_site
from tests.lab import cache
from tests.lab.commands import Failed
from tests.lab.files import HOME, JOE, LIBRARIES, OWN, SOURCE, put
from tests.lab.hosts import Host
from tests.lab.network import ADDRESSES
from tests.lab.site import NODES, PREFECT_API, T440, Site

SERVER = "prefect-server.service"
START_SECONDS = 120.0
DEPLOY = ("--no-prompt", "deploy", "--all", "--prefect-file")
SITE_FILE = f"{OWN}/site.yaml"
UNIT = """\
[Unit]
Description={words}

[Service]
ExecStart=/usr/bin/python3 -m {words}
WorkingDirectory={source}
Restart=always
RestartSec=1
KillMode=mixed
EnvironmentFile={source}/deployments/prefect.env
{environment}

[Install]
WantedBy=default.target
"""


class HostPrefect(PrefectApi):
    """The Prefect server that runs on a host, asked from there."""

    def __init__(self, host: Host) -> None:
        self.t440 = host

    def request(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST `body`, or GET when there is none, from the host itself. Raises OSError."""
        # A busy SQLite server answers 503, and means it.
        words = ["curl", "-sS", "--retry", "5", "--fail"]
        words.append(f"{PREFECT_API}{path}")
        if body is not None:
            words += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        try:
            return json.loads(self.t440.run(words, given=json.dumps(body)) or "null")
        except Failed as error:
            raise OSError(str(error)) from None

    def finish(self, deployment: str, seconds: float = 60.0) -> None:
        """Start a run by hand and wait until it has completed. Raises Failed, TimeoutError."""
        run = self.wait_for_run(self.start_run(deployment), seconds)
        if run["state_type"] != "COMPLETED":
            raise Failed(f"{deployment}: {run['state_name']}: {run['state']['message']}")

    def told(self, flow: str = "health-check", limit: int = 8) -> str:
        """The newest runs, one a line, oldest first: what a person sees in the list."""
        runs = self.runs(flow, limit=limit)
        return "\n".join(f"  {run['state_name']}: {run['name']}" for run in reversed(runs))


class LabPrefect(HostPrefect):
    """Server, both workers, and every deployment of prefect.yaml; `times` as in a site file."""

    def __init__(self, site: Site, times: Mapping[str, float]) -> None:
        super().__init__(site.t440)
        self.site = site
        _require_same_python(site)
        document = site_document(times)
        put(self.t440, SITE_FILE, yaml.safe_dump(document))
        home = f"{HOME}/prefect"

        place = make_place(Path(home), PREFECT_API)
        put(self.t440, place["TMPDIR"] + "/.folder", "")
        self.environment = {**place, "PYTHONPATH": f"{SOURCE}:{LIBRARIES}"}
        self._install(
            SERVER, f"deployments.server --host 127.0.0.1 --port {urlsplit(PREFECT_API).port}"
        )
        for pool in POOLS:
            self._install(worker(pool), worker_words(pool))
        self.t440.systemctl("daemon-reload")
        self.start(SERVER)
        self.t440.wait_until(self.answers, START_SECONDS, "the Prefect server answers")
        self._run("deployments.pools")
        text = Path(cache.PROJECT / "prefect.yaml").read_text()
        scaled = with_intervals(yaml.safe_load(text), parse_site(json.dumps(document), "").times)
        put(self.t440, f"{home}/prefect.yaml", yaml.safe_dump(scaled, sort_keys=False))
        self._run("prefect", *DEPLOY, f"{home}/prefect.yaml")
        for pool in POOLS:
            self.start(worker(pool))

    def start(self, unit: str) -> None:
        """Start a unit of T440, now and at each boot."""
        self.t440.run(("systemctl", "--user", "--quiet", "enable", "--now", unit))

    def stop(self, unit: str) -> None:
        """Stop a unit until `start`."""
        self.t440.run(("systemctl", "--user", "--quiet", "disable", "--now", unit))

    def sync(self) -> None:
        """One memory sync: the standby is promotable afterwards."""
        self.finish("memory-sync/joe")

    def pause(self, deployment: str) -> None:
        """No run by its schedule any more; runs that are ordered go on."""
        found = self.request(f"/deployments/name/{deployment}")["id"]
        self.request(f"/deployments/{found}/pause_deployment", {})

    def told_in_full(self, flow: str = "health-check", limit: int = 5) -> str:
        """The newest runs with their times and logs, oldest first."""
        lines = list[str]()
        for run in reversed(self.runs(flow, limit=limit)):
            lines.append(f"{run['start_time']} {run['state_name']}: {run['name']} {run['tags']}")
            body = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}
            logs = self.request("/logs/filter", body)
            lines += [f"    {entry['timestamp']} {entry['message']}" for entry in logs]
        return "\n".join(lines)

    def _install(self, unit: str, words: str) -> None:
        lines = (f'Environment="{name}={value}"' for name, value in self.environment.items())
        text = UNIT.format(words=words, source=SOURCE, environment="\n".join(lines))
        put(self.t440, f"{HOME}/.config/systemd/user/{unit}", text)

    def _run(self, *words: str) -> None:
        variables = {
            **read_settings(),
            **self.environment,
            "DUALJOE_ROOT": SOURCE,
            "DUALJOE_SITE": SITE_FILE,
            "DUALJOE_PYTHON": "/usr/bin/python3",
        }
        given = (f"{name}={value}" for name, value in variables.items())
        inside = ("-C", SOURCE, *given, "/usr/bin/python3", "-m", *words)
        self.t440.run(("env", *inside), timeout=START_SECONDS)


def worker(pool: str) -> str:
    """The unit of a pool's worker."""
    return f"prefect-worker-{pool}.service"


def _require_same_python(site: Site) -> None:
    """Which libraries a lock selects depends on the interpreter's last digit, too."""
    theirs = site.t440.run(("python3", "-c", "import sys; print(sys.version.split()[0])")).strip()
    ours = sys.version.split()[0]
    if theirs != ours:
        raise Failed(
            f".venv was made with Python {ours}, the lab's T440 has {theirs}:"
            " make clean setup PYTHON=/usr/bin/python3"
        )


def site_document(times: Mapping[str, float]) -> dict[str, Any]:
    """The site file of the lab's T440, as an object."""
    own = PurePosixPath(OWN)
    return {
        "site": "joe",
        "preferred": NODES[0],
        "watchdog": {
            "name": T440,
            "state": str(own / "state"),
            "key": str(own / "keys/control"),
            "known_hosts": str(own / "known_hosts"),
            "joe": JOE,
            "node_file": str(own / "node.json"),
        },
        "nodes": {name: {"address": ADDRESSES[name], "user": cache.USER} for name in NODES},
        "times": dict(times),
    }
