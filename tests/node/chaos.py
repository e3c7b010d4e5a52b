"""Faults at random on three running machines, seeded: `python -m tests.node.chaos SEED SECONDS`.

Real processes on loopback: guards, fuses, voters, ssh and gateways are killed and stopped, machines
lose power and stand still, nodes are cut off, files are torn, and Joe is moved meanwhile. Never a
guard and its fuse stand still at once: without systemd nothing would be left to stop a gateway.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator

from deployments.demo.machine import Machine
from deployments.demo.processes import send, wait_until
from deployments.demo.three import T440, ThreeMachines

from .terms_ground import Terms, terms

LONGEST_HANG_SECONDS = 9.0  # longer than a term
LONGEST_STANDSTILL_SECONDS = 1.2  # of a whole machine: shorter than what is kept back of a term
PROGRAMS = {
    "guard": "joe.pyz guard",
    "fuse": "joe.pyz fuse",
    "voter": "joe.pyz answer",
    "ssh": "ssh -F none -T",
    "gateway": "gateway run",
}
WEIGHTS = {
    "kill": 5,
    "hang": 5,
    "move": 3,
    "standstill": 2,
    "cut": 2,
    "power": 1,
    "tear": 1,
    "forget": 1,
    "t440 off": 1,
}


class Chaos:
    """One run on `ground`; `done` says what was done, and when."""

    def __init__(self, ground: Terms, seed: int) -> None:
        self.ground, self.random = ground, random.Random(seed)
        self.three: ThreeMachines = ground.three
        self.begun = time.monotonic()
        self.done: list[str] = []
        self.stopped: list[tuple[float, str, list[int]]] = []  # until, what, pids
        self.cut_off: set[str] = set()
        self.on_node: dict[str, Callable[[Machine], None]] = {
            "kill": self.kill,
            "hang": self.hang,
            "power": self.power,
            "standstill": self.standstill,
            "cut": self.cut,
            "tear": self.tear,
            "forget": self.forget,
        }

    def run(self, seconds: float) -> None:
        """Faults for so long, then everything is put right again."""
        while time.monotonic() < self.begun + seconds:
            self.one_fault()
            time.sleep(self.random.uniform(0.2, 3.0))  # the pace of the faults, not a wait
            self.mend()
        self.mend(all_of_it=True)

    def one_fault(self) -> None:
        node = self.three.nodes[self.random.choice(list(self.three.nodes))]
        fault = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.done.append(f"{time.monotonic() - self.begun:.1f} {fault} {node.name}")
        if fault == "t440 off":
            self.power(self.three.t440)
        elif fault == "move":
            self.move(node.name)
        elif node.is_on:
            self.on_node[fault](node)

    def tear(self, machine: Machine) -> None:
        (machine.state / "record.json").write_text('{"epoch": ')

    def forget(self, machine: Machine) -> None:
        (machine.run / "terms.json").unlink(missing_ok=True)

    def program(self, machine: Machine) -> tuple[str, list[int]]:
        """One kind of program of a machine, and its processes."""
        what = self.random.choice(list(PROGRAMS))
        return what, machine.running(PROGRAMS[what])

    def kill(self, machine: Machine) -> None:
        what, pids = self.program(machine)
        self.done[-1] += f" {what}"
        send(pids, signal.SIGKILL)

    def hang(self, machine: Machine) -> None:
        what, pids = self.program(machine)
        if what in ("guard", "fuse") and any(
            machine.name in one and ("guard" in one or "fuse" in one) for _, one, _ in self.stopped
        ):
            return
        self.done[-1] += f" {what}"
        self.stop(f"{what} of {machine.name}", pids, LONGEST_HANG_SECONDS)

    def standstill(self, machine: Machine) -> None:
        self.stop(f"all of {machine.name}", machine.pids(), LONGEST_STANDSTILL_SECONDS)

    def stop(self, what: str, pids: list[int], longest: float) -> None:
        send(pids, signal.SIGSTOP)
        until = time.monotonic() + self.random.uniform(0.2, longest)
        self.stopped.append((until, what, pids))

    def power(self, machine: Machine) -> None:
        if machine.is_on:
            machine.power_cut()

    def cut(self, machine: Machine) -> None:
        if machine.name not in self.cut_off:
            self.ground.cut(machine.name)
            self.cut_off.add(machine.name)

    def move(self, to: str) -> None:
        """T440 moves Joe without asking whether that is wise; it may be refused."""
        if self.three.t440.is_on:
            record = self.ground.joe(T440, "observe")["record"]
            self.ground.joe(T440, "record", "write", holder=to, expect=record)

    def mend(self, all_of_it: bool = False) -> None:
        """End what has lasted long enough."""
        for entry in list(self.stopped):
            if all_of_it or time.monotonic() >= entry[0]:
                self.stopped.remove(entry)
                send(entry[2], signal.SIGCONT)
        for name in list(self.cut_off):
            if all_of_it or self.random.random() < 0.3:
                self.cut_off.remove(name)
                self.ground.heal(name)
        for machine in self.three.machines.values():
            if not machine.is_on and (all_of_it or self.random.random() < 0.4):
                machine.power_on()

    def await_service(self, seconds: float = 60.0) -> float:
        """Until the node that T440's record names serves; returns the seconds."""

        def serves() -> bool:
            record = self.ground.joe(T440, "observe")["record"]
            return bool(record) and self.ground.status(record["holder"]).get("state") == "serving"

        return wait_until(serves, seconds, "the holder serves")


@contextlib.contextmanager
def chaos(seed: int, seconds: float) -> Iterator[Chaos]:
    """A run that is over; the machines are whole again, and never two gateways were seen."""
    with terms() as ground:
        made = Chaos(ground, seed)
        made.run(seconds)
        yield made


def main(seed: int, seconds: float) -> None:
    """One run with what it did, for a person."""
    with chaos(seed, seconds) as made:
        back = made.await_service()
        changes = len(made.ground.witness.changes())
        print(
            f"seed {seed}: {len(made.done)} faults, {changes} changes of who runs a gateway, ",
            end="",
        )
        print(f"served again {back:.1f} s after the last")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
