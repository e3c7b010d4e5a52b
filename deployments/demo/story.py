"""The story that the demo tells by itself: one dated line an event, and each claim is checked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from tasks.core.times import Times

from .botapi import overlaps
from .ledger import account, read_ledger
from .openclaw.install import AGENTS
from .prefect_server import PrefectServer
from .processes import wait_until
from .three import ThreeMachines
from .witness import Witness

# A sampler that slept could have missed a second gateway: then the claim is not made.
LONGEST_GAP_SECONDS = 0.5
# Prefect's server waits up to 60 s for its own SQLite database when two of its services want it
# (seen on a busy machine): every wait has room for one such stall.
STALL_SECONDS = 65.0


class StoryError(Exception):
    """A claim of the story turned out to be false."""


def say(text: str) -> None:
    """One dated line."""
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}", flush=True)


class Story:
    """Walks through a failure and a return on three running machines.

    Raises StoryError or TimeoutError with what was expected and did not happen.
    """

    def __init__(
        self, three: ThreeMachines, server: PrefectServer, witness: Witness, times: Times
    ) -> None:
        self.three, self.server, self.witness, self.times = three, server, witness, times
        self.a, self.b = three.nodes["pc-a"], three.nodes["pc-b"]

    def tell(self) -> None:
        """All of it; returns when every claim has been checked."""
        self.joe_starts()
        self.every_schedule_runs()
        self.power_is_lost_and_pc_b_takes_over()
        self.pc_a_returns_and_joe_fails_back()
        self.every_version_is_accounted_for()
        self.never_two_gateways()

    def joe_starts(self) -> None:
        lent = self.times.term_seconds + self.times.clock_margin_seconds
        self.await_that(lambda: self.serves("pc-a"), 60 + lent, "pc-a serves")
        say("pc-a serves: the record names it, and the other machines lend it their votes")

    def every_schedule_runs(self) -> None:
        """Each schedule that comes within the demo has run and done its work."""
        say("waiting until every schedule has run ...")
        wanted = {
            "health-check": (self.times.check_seconds, "pc-a serves"),
            "memory-sync": (self.times.sync_seconds, "pc-a to pc-b: "),
            "backup-primary-tier": (self.times.backup_seconds, "T440 to pc-a: 5 of 5"),
            "backup-dr-tier": (self.times.backup_seconds, "pc-a to pc-b: 5 of 5"),
        }
        for flow, (interval, name) in wanted.items():
            run = self.await_run(flow, name, 2.5 * interval + 60)
            say(f"{flow} has run: {run['name']}")

    def power_is_lost_and_pc_b_takes_over(self) -> None:
        version = self.newest_version("pc-a")
        say("pc-a loses power: every process of it is killed, its memory is as it was on the disk")
        begun = time.monotonic()
        self.a.power_cut()
        last = self.newest_version("pc-a")
        limit = self.times.term_seconds + 2 * self.times.check_seconds + 60
        self.await_that(lambda: self.serves("pc-b"), limit, "pc-b serves")
        say(f"pc-b serves, {time.monotonic() - begun:.1f} s after the power cut")
        run = self.await_run("failure-handling", "Failover to pc-b", 60)
        say(f"the reason given: {run['name']}")
        if last != version:
            say("pc-a wrote more notes after the last sync: they are on its disk only, for now")
        self.await_that(lambda: self.newest_version("pc-b") > begun_wall(begun), 60, "pc-b writes")
        say("Joe writes his notes on pc-b now")

    def pc_a_returns_and_joe_fails_back(self) -> None:
        self.a.power_on()
        begun = time.monotonic()
        say("pc-a comes back: it starts no gateway by itself, the record names pc-b")
        run = self.await_run("memory-sync", "pc-b to pc-a: ", 2 * self.times.sync_seconds + 90)
        say(f"memory is merged on pc-a: {run['name']}")
        limit = self.times.failback_after_seconds + 2 * self.times.check_seconds + 150
        run = self.await_run("failure-handling", "Failback to pc-a", limit)
        self.await_that(lambda: self.serves("pc-a") and not self.serves("pc-b"), 60, "pc-a serves")
        say(
            f"pc-a serves again, {time.monotonic() - begun:.1f} s after it came back: {run['name']}"
        )

    def every_version_is_accounted_for(self) -> None:
        """By the writer's own log, kept outside the three machines."""
        with frozen(self.gateway_pids("pc-a")):
            live = {agent: self.three.workspace("pc-a", agent) for agent in AGENTS}
            stores = [node.state / "stores" / "memory" for node in (self.a, self.b)]
            found = account(self.three.ledger, live, stores)
        say(f"every version of memory, by the writer's log: {found}")
        if found.lost:
            raise StoryError(f"{len(found.lost)} versions of memory are lost: {found.lost[:3]}")

    def never_two_gateways(self) -> None:
        """By the process table, and by the log of the Bot API."""
        report = self.witness.stop()
        say(f"gateways in the process table: {report}")
        polls = overlaps((self.three.root / "botapi.jsonl").read_text().splitlines())
        say(f"two pollers at once, by the Bot API's log: {len(polls)} times")
        if report.both or polls:
            raise StoryError(f"two gateways at once: {report}; {polls[:3]}")
        if report.longest_gap_seconds > LONGEST_GAP_SECONDS:
            raise StoryError(f"the process table was not looked at for too long: {report}")

    def serves(self, node: str) -> bool:
        """Whether the node's gateway says of itself that it is live."""
        return is_live(self.three.nodes[node].gateway_port)

    def await_run(self, flow: str, name: str, seconds: float) -> dict[str, Any]:
        """The newest completed run of `flow` whose name begins so, once there is one."""
        found: list[dict[str, Any]] = []

        def ended() -> bool:
            found[:] = [
                run
                for run in self.server.runs(flow)
                if run["name"].startswith(name) and run["state_type"] == "COMPLETED"
            ]
            return bool(found)

        self.await_that(ended, seconds, f"{flow} ends as {name!r}")
        return found[0]

    def await_that(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until it is so, but no longer than `seconds` and one stall of the server."""

        def holds() -> bool:
            with contextlib.suppress(OSError):  # a busy server may be late with one answer
                return condition()
            return False

        wait_until(holds, seconds + STALL_SECONDS, what)

    def newest_version(self, node: str) -> float:
        """When the node last wrote a note (Unix seconds), 0 when never."""
        return max((v.t for v in read_ledger(self.three.ledger) if v.node == node), default=0.0)

    def gateway_pids(self, node: str) -> list[int]:
        """The node's gateway processes, as the witness sees them now."""
        machines: dict[str, list[int]] = self.witness.changes()[-1]["machines"]
        return machines.get(node, [])


def is_live(port: int) -> bool:
    """Whether a gateway on this machine says of itself that it is live."""
    broken = contextlib.suppress(OSError, ValueError)
    url = f"http://127.0.0.1:{port}/healthz"
    with broken, urllib.request.urlopen(url, timeout=2) as page:
        return bool(json.load(page).get("status") == "live")
    return False


def begun_wall(monotonic: float) -> float:
    """A moment of the monotonic clock as Unix seconds."""
    return time.time() - (time.monotonic() - monotonic)


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Hold processes still, so that files and logs are of one moment."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
