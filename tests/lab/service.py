"""Dual Joe at work in a lab, with every witness watching from before its first start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from deployments.demo.closing import Closing
from deployments.demo.processes import read_command, send, wait_until
from tests.lab import cache
from tests.lab.audit import AFTER_THAW_SECONDS, Auditor
from tests.lab.files import HOME, JOE, put
from tests.lab.hosts import Host
from tests.lab.internet import Internet
from tests.lab.lab import Lab
from tests.lab.openclaw import GUARD, UNIT
from tests.lab.oracle import Oracle
from tests.lab.prefect import LabPrefect
from tests.lab.site import BINDS, NODES, Site
from tests.lab.watchdog import WATCH_SECONDS, Watchdog
from tests.lab.watcher import Seen

START_SECONDS = 120.0  # the real OpenClaw on a slow machine, at the most
# A node lost: the other one serves so soon, by the project's own promise.
TAKEOVER_SECONDS = 45.0


class Service(Closing):
    """pc-a serves at epoch 1, pc-b stands by, T440's decisions are on.

    `real`: with the real OpenClaw instead of the stand-in. `said` is what was measured.
    """

    def __init__(self, folder: Path, real: bool = False) -> None:
        self.said: list[str] = []
        self.lab = Lab({**BINDS, cache.openclaw(): "/opt/openclaw"} if real else BINDS)
        self.frozen: list[tuple[float, float]] = []  # what the oracle saw meanwhile is no overlap
        self.excused: list[tuple[float, float]] = []  # nor what a test itself made look like one
        self._watchdog: Watchdog | None = None
        self._ends = contextlib.ExitStack()  # what is to be ended, the last one first
        self._ends.callback(self.lab.close)
        try:
            self.lab.start_all()
            self.internet = self._ends.enter_context(Internet(self.lab, folder / "bot.jsonl"))
            self.site = Site(self.lab, real)
            self.t440, self.pc_a, self.pc_b = self.site.t440, self.site.pc_a, self.site.pc_b
            groups = {name: host.group for name, host in self.site.nodes.items()}
            self.oracle = self._ends.enter_context(Oracle(groups))
            self.auditor = self._ends.enter_context(Auditor(self.site))
            self._ends.callback(self.leave_undecided)
            self.site.skip_the_wait_after_boot()
            self.site.write_first_record()
            self.site.start_guards()
            self.wait_until_live(self.pc_a, START_SECONDS)
            self.decide()
        except BaseException:
            self.close()
            raise

    def say(self, sentence: str) -> None:
        """Keep one line for the test's report."""
        self.said.append(sentence)

    # What T440 decides

    def decide(self, every: float = 0.0, watch: float = WATCH_SECONDS) -> None:
        """Have T440 decide from now on: at once after a silence, or only each `every` seconds."""
        self.leave_undecided()
        self._watchdog = Watchdog(self.site, every, watch, self.say)

    def leave_undecided(self) -> None:
        """Nobody decides any more."""
        if self._watchdog is not None:
            self._watchdog.stop()

    @property
    def watchdog(self) -> Watchdog:
        assert self._watchdog is not None
        return self._watchdog

    def move(self, to: str) -> float:
        """Have T440 write one record that names `to`; returns when, by the oracle's clock."""
        self.watchdog.move(to, "ordered by the test")
        return self.oracle.now()

    def start_prefect(self, **times: float) -> LabPrefect:
        """Have the product decide: a real Prefect on T440; `times` as in its site file."""
        self.leave_undecided()
        begun = time.monotonic()
        prefect = LabPrefect(self.site, times)
        prefect.sync()
        self.say(f"Prefect on T440 had synced the memory {time.monotonic() - begun:.0f} s later")
        return prefect

    # What a node says of itself

    def status(self, host: Host) -> dict[str, Any]:
        """What the node's guard last told; {} when the node is off or has no guard."""
        return self.site.note(host, "guard.json")

    def wait_until_live(self, host: Host, seconds: float) -> float:
        """Until the gateway's own /healthz is well; returns when, by the oracle's clock.

        Only what the guard has said since this call counts: its last word is up to a second old.
        """
        called = time.monotonic()

        def is_live() -> bool:
            told = self.status(host)
            age = host.boottime() - told["at"] if told else float("inf")
            fresh = age < min(3.0, time.monotonic() - called)
            return fresh and told["live"] is True and bool(host.procs(UNIT))

        wait_until(is_live, seconds, f"{host.name} serves ({self.status(host)})")
        return self.oracle.now()

    def wait_until_standby(self, host: Host, epoch: int, seconds: float) -> None:
        """Until a node knows this epoch, and runs no gateway."""

        def stands_by() -> bool:
            record = self.site.record(host)
            return record is not None and record[0] == epoch and not host.procs(UNIT)

        wait_until(stands_by, seconds, f"{host.name} stands by at epoch {epoch}")

    def epochs(self) -> dict[str, int]:
        """The epoch on each disk."""
        records = {name: self.site.record(host) for name, host in self.lab.hosts.items()}
        return {name: record[0] if record else 0 for name, record in records.items()}

    def gateway_pid(self, host: Host) -> int:
        """The gateway's first process, by the box's number."""
        return min(host.procs(UNIT))

    def kill_gateway(self, host: Host, seconds: float) -> float:
        """SIGKILL it, and wait until it is back in place; returns and says how long that took."""
        killed = self.oracle.now()
        os.kill(self.gateway_pid(host), signal.SIGKILL)
        self.oracle.wait_for(seconds=5)
        back = self.wait_until_live(host, seconds) - killed
        self.say(f"{host.name} served again {back:.1f} s after SIGKILL")
        return back

    def serves_on(self, host: Host, seconds: float) -> None:
        """For so many seconds this node alone runs a gateway, and never stops."""
        begun = self.oracle.now()
        while self.oracle.now() < begun + seconds:
            assert self.oracle.running == (host.name,), f"{self.oracle.running} serves"
            time.sleep(0.1)

    def alerts(self) -> list[str]:
        """What a person was told, from T440's journal: a line each, oldest first."""
        journal = self.t440.home / ".dualjoe/state/journal.jsonl"
        entries = [json.loads(line) for line in journal.read_text().splitlines()]
        return [f"{e['level']}: {e['text']}" for e in entries if e["kind"] == "alert"]

    # What is done to a node's guard and doors

    def guard_pid(self, host: Host) -> int:
        return min(host.procs(GUARD))

    def stop_guard(self, host: Host) -> None:
        """It hangs from here on."""
        os.kill(self.guard_pid(host), signal.SIGSTOP)

    def without_watchdog(self, host: Host) -> None:
        """systemd will not notice when the guard hangs; the node serves again with a new guard."""
        folder = f"/run/user/1000/systemd/user/{GUARD}.d"
        host.run(("mkdir", "-p", folder))
        host.run(("sh", "-c", f"cat >{folder}/lab.conf"), given="[Service]\nWatchdogSec=0\n")
        host.run(("systemctl", "--user", "daemon-reload"))
        host.run(("systemctl", "--user", "restart", GUARD))
        self.wait_until_live(host, 40)

    def close_door(self, name: str, verb: str) -> None:
        """Close a door of a machine, and end all its connections: who still may comes back."""
        host = self.lab.hosts[name]
        keys = host.home / ".ssh/authorized_keys"
        kept = [line for line in keys.read_text().splitlines() if f"{JOE} {verb}" not in line]
        put(host, f"{HOME}/.ssh/authorized_keys", "\n".join(kept) + "\n")
        sessions = f"sshd: {cache.USER}"
        found = [pid for pid in host.group.pids() if read_command(pid).startswith(sessions)]
        send(found, signal.SIGKILL)

    # Freezing

    def freeze(self, host: Host) -> float:
        """Freeze a node; the oracle goes on to see its gateway, which can do nothing."""
        self.auditor.excuse(host.name, float("inf"))
        host.freeze()
        self.frozen.append((self.oracle.now(), float("inf")))
        return self.oracle.now()

    def thaw(self, host: Host) -> float:
        """From here on two gateways would be two Joes."""
        self.frozen[-1] = (self.frozen[-1][0], self.oracle.now())
        host.thaw()
        self.auditor.excuse(host.name, AFTER_THAW_SECONDS)
        return self.frozen[-1][1]

    # The end

    def audit(self) -> Seen:
        """End every watch and print what it saw. Raises AssertionError for what was broken."""
        self.leave_undecided()
        broken = self.auditor.stop()
        seen = self.oracle.stop()
        self.say(f"{seen}; {self.auditor.looks} audits; epochs {self.epochs()}")
        apart = (*self.frozen, *self.excused)
        both = [at for at in seen.both if not any(a <= at < b for a, b in apart)]
        thawed = [
            at for at in both if any(b <= at <= b + AFTER_THAW_SECONDS for _, b in self.frozen)
        ]
        self.say(f"samples with two Joes: {len(both)}, of them {len(thawed)} right after a thaw")
        assert not seen.blind, f"nothing is proven: {seen.blind}"
        assert both == thawed, f"I1: two Joes at {both}"
        assert not broken, broken
        if not self.frozen:
            assert self.internet.overlaps() == []
        return seen

    def close(self) -> None:
        """End it all; safe to repeat."""
        self._ends.close()

    def report(self) -> str:
        """For a test that failed: what every host says."""
        lines = [f"oracle: {self.oracle.running}", f"record: {self.epochs()}"]
        for name in NODES:
            host = self.site.nodes[name]
            if host.is_on:
                lines.append(f"{name}: {self.status(host)}\n{host.journal()}")
        return "\n".join(lines)
