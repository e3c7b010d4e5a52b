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
from tasks.remote.nodes import close_all, node
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
        """T440's record and those of both nodes."""
        order = {"epoch": epoch, "holder": holder}
        call_local(self.site.watchdog, "record write", order, seconds=SECONDS)
        for name in self.site.nodes:
            self.call(name, "record write", **order)

    def call(self, name: str, verb: str, **params: Any) -> dict[str, Any]:
        """One verb on a node, over ssh."""
        return node(self.site, name).call(verb, params, seconds=SECONDS)

    def start(self, name: str) -> None:
        """End a drain, and wait until the holder serves: its guard starts it by itself."""
        call_local(self.site.watchdog, "drain end", seconds=SECONDS)
        self.await_health(name, Health.OK)

    def drain(self, name: str, seconds: float = 60.0) -> None:
        """Have the node stop and stay stopped for so long."""
        record = call_local(self.site.watchdog, "record read", seconds=SECONDS)["record"]
        order = {"to": name, "epoch": record["epoch"], "seconds": seconds}
        call_local(self.site.watchdog, "drain write", order, seconds=SECONDS)

        def is_drained() -> bool:
            seen = self.call(name, "observe")
            return seen["why_not"] == "the node is drained" and not seen["gateway"]["serving"]

        wait_until(is_drained, SECONDS, f"{name} is drained")

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


@contextlib.contextmanager
def ground(write_seconds: float = 0.2, **times: float) -> Iterator[Ground]:
    """Three machines with the record {1, pc-a} everywhere; pc-a begins to serve by itself.

    Intervals and limits are short so that tests are; the numbers of the term protocol are not.
    """
    short = {
        "watch_seconds": 10,
        "final_sync_limit_seconds": 20,
        "drain_limit_seconds": 5,
        "restart_grace_seconds": 0.1,
        "restart_watch_seconds": 3,
        "failback_after_seconds": 0.5,
        "kill_budget_seconds": 2,
        "silence_seconds": 4,
    }
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        root = Path(folder)
        with (
            BotApi(root / "bot.jsonl") as api,
            ThreeMachines(
                root / "demo",
                telegram_url=api.url,
                start_seconds=0.3,
                write_seconds=write_seconds,
                conflict_pause_seconds=0.3,
                times=FAST,
                fields={"restart_pause_seconds": 1.0},
            ) as three,
        ):
            power_on_with_free_votes(three)
            made = Ground(three, root, {**short, **times})
            made.write_record(1, "pc-a")
            try:
                yield made
            finally:
                close_all()
