"""Three machines on loopback with guards, fuses and voters, and the ways to hurt them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployments.demo.botapi import BotApi
from deployments.demo.launch import PYTHON
from deployments.demo.processes import process_table, send, wait_until
from deployments.demo.three import T440, ThreeMachines
from deployments.demo.witness import Witness
from deployments.node.timing import Timing

SECONDS = 30.0  # the deadline of every wait in these tests
# A third of the real times, so that a busy machine still keeps them: M = 2.8, so 3.2 s to serve.
FAST = {
    "term": 6.0,
    "clock_slack": 0.5,
    "ask": 0.3,
    "tick": 0.15,
    "kill_budget": 1.5,
    "guard_watchdog": 1.5,
    "fuse_lead": 0.3,
    "drain_memory": 4.0,
    "probe": 1.0,
}


class Terms:
    """Running machines; `joe` is the program on one of them, as its user runs it."""

    def __init__(self, three: ThreeMachines, witness: Witness, times: Timing) -> None:
        self.three, self.witness, self.times = three, witness, times

    def joe(self, name: str, *words: str, **params: Any) -> dict[str, Any]:
        """One verb; its answer with "exit" added."""
        done = self.run(name, *words, text=json.dumps(params))
        assert done.stdout.startswith("{"), done
        return {**json.loads(done.stdout), "exit": done.returncode}

    def run(self, name: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        argv = (PYTHON, "-IS", str(self.three.joe(name)), *words)
        environment = self.three.machines[name].environment
        return subprocess.run(
            argv, env=environment, input=text, capture_output=True, text=True, timeout=SECONDS
        )

    def record(self, name: str = T440) -> dict[str, Any]:
        """The record on a machine's disk."""
        found: dict[str, Any] = self.joe(name, "record", "read")["record"]
        return found

    def move(self, to: str) -> int:
        """The one durable write that is a move; returns the new epoch."""
        written = self.joe(T440, "record", "write", holder=to, expect=self.record())
        assert written["exit"] == 0, written
        return int(written["record"]["epoch"])

    def bring_home(self) -> int:
        """All machines on, and pc-a serves; returns the epoch."""
        for machine in self.three.machines.values():
            if not machine.is_on:
                machine.power_on()
        epoch = int(self.record()["epoch"])
        if self.record()["holder"] != "pc-a":
            epoch = self.move("pc-a")
        self.await_serving("pc-a", epoch)
        return epoch

    def status(self, name: str) -> dict[str, Any]:
        """The guard's status file; {} while there is none."""
        with contextlib.suppress(OSError, ValueError):
            content: dict[str, Any] = json.loads(
                (self.three.machines[name].run / "guard.json").read_text()
            )
            return content
        return {}

    def runs(self, name: str) -> bool:
        """Does a gateway process run there, as the process table has it?"""
        return bool(self.gateway_pids(name))

    def gateway_pids(self, name: str) -> list[int]:
        changes = self.witness.changes()
        pids: list[int] = changes[-1]["machines"].get(name, []) if changes else []
        return pids

    def await_state(self, name: str, *states: str, seconds: float = SECONDS) -> float:
        """Until the guard says one of these; returns the seconds it took."""
        what = f"{name} is {' or '.join(states)}"
        try:
            return wait_until(lambda: self.status(name).get("state") in states, seconds, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.status(name)}") from None

    def await_epoch(self, name: str, epoch: int) -> None:
        """Until the guard there knows this record."""
        what = f"{name} knows epoch {epoch}"
        wait_until(lambda: self.status(name).get("epoch") == epoch, SECONDS, what)

    def await_serving(self, name: str, epoch: int, seconds: float = SECONDS) -> float:
        """Until the guard says that its gateway is live at this epoch."""

        def serves() -> bool:
            status = self.status(name)
            return status.get("state") == "serving" and status.get("epoch") == epoch

        try:
            return wait_until(serves, seconds, f"{name} serves at epoch {epoch}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {self.status(name)}") from None

    def await_none(self, name: str, seconds: float = SECONDS) -> float:
        """Until no gateway process is left there."""
        return wait_until(lambda: not self.runs(name), seconds, f"no gateway on {name}")

    def guard_pid(self, name: str) -> int:
        return int(self.status(name)["pid"])

    def ssh_paths(self, name: str) -> list[int]:
        """Every process through which the machine speaks to the others: sshd, ssh, answers."""
        table = process_table()
        pids = self.three.machines[name].pids()
        return [pid for pid in pids if pid in table and table[pid].name in ("sshd", "ssh")]

    def cut(self, name: str) -> None:
        """No packet to or from this machine any more; nobody is told."""
        key = self.three.answer_key(name)
        key.rename(key.with_suffix(".cut"))
        send(self.ssh_paths(name), signal.SIGSTOP)

    def heal(self, name: str) -> None:
        key = self.three.answer_key(name)
        key.with_suffix(".cut").rename(key)
        send(self.ssh_paths(name), signal.SIGCONT)

    def fault(self, name: str, fault: str, how: str = "", *, on: bool = True) -> None:
        """Set or clear a fault of the stand-in gateway."""
        file = self.three.nodes[name].home / ".openclaw" / "faults" / fault
        file.parent.mkdir(exist_ok=True)
        file.write_text(how) if on else file.unlink(missing_ok=True)

    def never_two(self) -> None:
        """No sample of the process table so far had two gateways."""
        both = [change for change in self.witness.changes() if len(change["machines"]) > 1]
        assert not both, both


@contextlib.contextmanager
def terms(real_times: bool = False, **fields: Any) -> Iterator[Terms]:
    """Machines that are on, pc-a serves at epoch 1; at the end never two gateways were seen."""
    times = {} if real_times else FAST
    with tempfile.TemporaryDirectory(prefix="dj") as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        api = stack.enter_context(BotApi(root / "bot.jsonl"))
        three = stack.enter_context(
            ThreeMachines(
                root / "demo",
                telegram_url=api.url,
                times=times,
                fields={"restart_pause_seconds": 1.0, "restart_grace_seconds": 3.0, **fields},
                start_seconds=0.3,
                write_seconds=0.2,
                conflict_pause_seconds=0.3,
            )
        )
        witness = stack.enter_context(Witness(three.root, root / "witness.jsonl"))
        made = Terms(three, witness, Timing(**times))
        power_on_with_free_votes(three)
        made.joe(T440, "record", "write", epoch=1, holder="pc-a")
        made.await_serving("pc-a", 1)
        yield made
        report = witness.stop()
        assert report.both == 0, report


def power_on_with_free_votes(three: ThreeMachines) -> None:
    """Boot without the wait for votes that may have been lent before: nobody ran before."""
    services = {name: machine.services for name, machine in three.machines.items()}
    for machine in three.machines.values():
        machine.services = {}
    three.power_on_all()
    for machine in three.machines.values():
        free = {"boot_id": machine.boot_id, "vote": ["", 0, 0.0], "heard": {}, "missing": []}
        (machine.run / "terms.json").write_text(json.dumps({**free, "drain": None, "sole": 0}))
    # Only now: the first guard asks at once, and a voter without the file would write its own.
    for name, machine in three.machines.items():
        machine.services = services[name]
        machine.start_services()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process stands still meanwhile."""

    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
