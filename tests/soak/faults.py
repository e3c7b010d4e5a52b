"""What a fault does to the demo's machines, and how it is mended."""

from __future__ import annotations

import contextlib
import random
import signal
from pathlib import Path

from deployments.demo.machine import Machine
from deployments.demo.processes import read_process, send
from deployments.demo.three import ThreeMachines

from .curves import Sample
from .plan import Kind

# Words in the command line of the program that is killed.
PROGRAMS = {
    Kind.WATCH: "deployments.worker --pool watch",
    Kind.DATA: "prefect worker start --pool data",
    Kind.SERVER: "deployments.server",
    Kind.FLOW: "prefect.engine",
}


class Faults:
    """Kills on `three`; which of several flow processes, by `seed`."""

    def __init__(self, three: ThreeMachines, seed: int) -> None:
        self.three, self.random = three, random.Random(seed)

    def begin(self, kind: Kind, target: str) -> bool:
        """Do it; False when there is nothing of the kind to kill at this moment."""
        machine = self.three.machines[target]
        if kind is Kind.POWER:
            machine.power_cut()
            return True
        pids = find_sshd(machine) if kind is Kind.SSHD else machine.running(PROGRAMS[kind])
        if kind is Kind.FLOW and pids:
            pids = [self.random.choice(pids)]
        send(pids, signal.SIGKILL)
        return bool(pids)

    def mend(self, kind: Kind, target: str) -> None:
        """Bring back what no keeper does."""
        machine = self.three.machines[target]
        if kind is Kind.POWER:
            machine.power_on()
        elif kind is Kind.SSHD:
            machine.start_sshd()


def find_sshd(machine: Machine) -> list[int]:
    """The machine's sshd with all of its sessions."""
    found = ((pid, read_process(pid)) for pid in machine.pids())
    return [pid for pid, process in found if process and process.name == "sshd"]


def sample_worker(machine: Machine, t: float) -> Sample:
    """One look at the worker of pool watch; pid 0 while there is none."""
    for pid in machine.running(PROGRAMS[Kind.WATCH]):
        with contextlib.suppress(OSError):  # it ended meanwhile
            return sample(pid, t)
    return Sample(t, 0)


def sample(pid: int, t: float) -> Sample:
    """RSS, descriptors and threads of a process. Raises OSError when it is gone."""
    text = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines())
    if "VmRSS" not in lines:
        raise ProcessLookupError(f"process {pid} is a zombie")
    rss, threads = lines["VmRSS"].split()[0], lines["Threads"]
    return Sample(
        t, pid, int(rss) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(threads)
    )
