"""Three running machines with T440's side of them: the site, and the tasks' connections."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deployments.demo.botapi import BotApi
from deployments.demo.processes import wait_until
from deployments.demo.three import ThreeMachines
from tasks.core.site import Site, parse_site
from tasks.core.state import Health
from tasks.remote.http import probe_healthz
from tasks.remote.local import call_local
from tasks.remote.nodes import close_site, node
from tests.node.terms_ground import FAST, power_on_with_free_votes

SECONDS = 20.0  # the deadline of every wait in these tests


class Ground:
    """Machines that are on, a record for pc-a, and the site file that the flows read."""

    def __init__(self, three: ThreeMachines, folder: Path, times: dict[str, float]) -> None:
        self.three = three
        self.site_file = folder / "site.yaml"
        document = {**three.site_document(), "times": times}
        self.site_file.write_text(yaml.safe_dump(document))
        self.site: Site = parse_site(self.site_file.read_text(), "site.yaml")

    def write_record(self, epoch: int, holder: str) -> None:
        """T440's record; asks spread it to the nodes."""
        order = {"epoch": epoch, "holder": holder}
        call_local(self.site.watchdog, "record write", order, seconds=SECONDS)

    def call(self, name: str, verb: str, **params: Any) -> dict[str, Any]:
        """One verb on a node, over ssh."""
        return node(self.site, name).call(verb, params, seconds=SECONDS)

    def guard(self, name: str) -> str:
        """The state that the node's guard reports."""
        status = self.call(name, "observe")["guard"]
        return str(status["state"]) if status else ""

    def serve(self) -> None:
        """Write the first record and wait until its holder serves."""
        self.write_record(1, "pc-a")
        self.await_health("pc-a", Health.OK)
        wait_until(lambda: self.guard("pc-b") == "standby", SECONDS, "pc-b stands by")

    def await_health(self, name: str, wanted: Health) -> None:
        wait_until(lambda: self.health(name) is wanted, SECONDS, f"{name}: healthz is {wanted}")

    def health(self, name: str) -> Health:
        port = self.site.nodes[name].gateway_port
        return probe_healthz(node(self.site, name), port, 2.0)

    def fault(self, name: str, fault: str, *, on: bool = True) -> None:
        """Set or clear a fault of the stand-in gateway."""
        file = self.three.nodes[name].home / ".openclaw" / "faults" / fault
        file.parent.mkdir(exist_ok=True)
        file.touch() if on else file.unlink(missing_ok=True)


# What T440 waits for, in proportion to the nodes' terms in terms_ground.py.
FAST_SITE = {
    "silence_seconds": 5,
    "heard_seconds": 2,
    "other_heard_seconds": 4,
    "watch_seconds": 12,
    "final_sync_limit_seconds": 20,
    "drain_limit_seconds": 5,
    "restart_grace_seconds": 2,
    "restart_watch_seconds": 6,
    "failback_after_seconds": 0.5,
    "kill_budget_seconds": 2,
}


@contextlib.contextmanager
def ground(write_seconds: float = 0.2, *, guards: bool = True, **times: float) -> Iterator[Ground]:
    """Three machines with guards, voters and fuses; there is no record yet, so nothing serves."""
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        root = Path(folder)
        with (
            BotApi(root / "bot.jsonl") as api,
            ThreeMachines(
                root / "demo",
                telegram_url=api.url,
                times=FAST,
                fields={"restart_grace_seconds": 2.0},
                start_seconds=0.3,
                write_seconds=write_seconds,
                conflict_pause_seconds=0.3,
            ) as three,
        ):
            if guards:
                power_on_with_free_votes(three)
            else:
                for machine in three.nodes.values():
                    machine.services.clear()
                three.power_on_all()
            made = Ground(three, root, {**FAST_SITE, **times})
            try:
                yield made
            finally:
                close_site(made.site)
