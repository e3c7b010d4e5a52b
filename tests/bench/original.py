"""The original way to look at a node: `ssh node openclaw gateway status`."""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deployments.demo.ground import make_key, read_public
from deployments.demo.machine import Machine
from deployments.demo.processes import wait_until
from deployments.demo.story import is_live
from deployments.demo.three import T440, ThreeMachines
from tests.bench.cpu import own_children, read_roles
from tests.bench.programs import Programs
from tests.bench.progress import say
from tests.bench.table import Group, Row

NODE = "pc-a"
START_SECONDS = 60.0
SETTLE_SECONDS = 15.0
IDLE_SECONDS = 20.0
STATUS_SECONDS = 60.0
STATUS = ("openclaw", "gateway", "status")


@dataclass(frozen=True)
class Look:
    """One look at the node, in seconds."""

    wall: float
    t440: float
    node: float


def original(times: int, programs: Programs) -> list[Group]:
    """The cost of one look; with the stand-in where npm has not brought the real program."""
    with machines() as three, plain_ssh(three, T440, NODE) as ssh:
        node = three.nodes[NODE]
        if programs.is_real:
            install_real(node, programs)
        say(f"original: starting {programs.openclaw}")
        start_gateway(node)
        time.sleep(SETTLE_SECONDS)
        idle = idle_share(node)
        look(node, ssh, idle)  # the first fills the caches
        looks = []
        for number in range(times):
            say(f"original {number + 1} of {times}: ssh {NODE} {' '.join(STATUS)}")
            looks.append(look(node, ssh, idle))
    both = tuple(one.t440 + one.node for one in looks)
    rows = (
        Row("CPU of T440, the ssh client alone", tuple(one.t440 for one in looks), "ms"),
        Row("CPU of the node", tuple(one.node for one in looks)),
        Row(ALL, both),
        Row("from its begin to its end", tuple(one.wall for one in looks)),
    )
    return [Group(f"The original way: `ssh node {' '.join(STATUS)}`, {programs.openclaw}", rows)]


ALL = "CPU of both machines"


@contextlib.contextmanager
def machines() -> Iterator[ThreeMachines]:
    """Three machines that are on, with nothing of ours at work."""
    with (
        tempfile.TemporaryDirectory(prefix="dj") as folder,
        ThreeMachines(Path(folder) / "bench", services=()) as three,
    ):
        three.power_on_all()
        yield three


@contextlib.contextmanager
def plain_ssh(three: ThreeMachines, client: str, host: str) -> Iterator[tuple[str, ...]]:
    """argv of an ssh from `client` whose key opens a shell on `host`, as the original had it."""
    key = three.machines[client].home / ".ssh-plain"
    make_key(key, "a shell, for the benchmark alone")
    doors = three.machines[host].etc / "authorized_keys"
    earlier = doors.read_text()
    doors.write_text(f"{earlier}{read_public(key)}\n")
    known = f"UserKnownHostsFile={three.known_hosts(client)}"
    port = str(three.machines[host].ssh_port)
    flags = ("-o", known, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-p", port)
    yield ("ssh", "-F", "none", *flags, "-i", str(key), "-l", getpass.getuser())
    doors.write_text(earlier)


def install_real(node: Machine, programs: Programs) -> None:
    """Put the real program in the place of the stand-in, with a configuration of its own."""
    launcher = node.home / "bin" / "openclaw"
    launcher.write_text(f'#!/bin/sh\nexec {programs.node} {programs.entry} "$@"\n')
    gateway = {
        "mode": "local",
        "bind": "loopback",
        "port": node.gateway_port,
        "auth": {"mode": "token", "token": "of-the-benchmark"},
    }
    file = node.home / ".openclaw" / "openclaw.json"
    file.write_text(json.dumps({"gateway": gateway}))
    file.chmod(0o600)


def start_gateway(node: Machine) -> None:
    """Start it in the foreground, as a unit would, and wait until it is live."""
    program = str(node.home / "bin" / "openclaw")
    argv = (program, "gateway", "run", "--port", str(node.gateway_port))
    node.spawn(argv, {}, node.log / "gateway.log")
    wait_until(lambda: is_live(node.gateway_port), START_SECONDS, "the gateway is live")


def cpu_of(node: Machine) -> float:
    """CPU seconds of the whole node."""
    return sum(read_roles(node).values())


def idle_share(node: Machine) -> float:
    """CPU seconds that the node spends in a second while nobody asks it."""
    before = cpu_of(node)
    time.sleep(IDLE_SECONDS)
    return (cpu_of(node) - before) / IDLE_SECONDS


def look(node: Machine, ssh: tuple[str, ...], idle: float) -> Look:
    """One run of the command; what the node spends anyway is taken off.

    Raises RuntimeError when the gateway's own answer is not in what it printed.
    """
    client, host, begun = own_children(), cpu_of(node), time.monotonic()
    argv = (*ssh, "127.0.0.1", *STATUS)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=STATUS_SECONDS)
    wall = time.monotonic() - begun
    if "Connectivity probe: ok" not in done.stdout:
        raise RuntimeError(f"openclaw gateway status: {(done.stdout + done.stderr)[-400:]}")
    host = cpu_of(node) - host
    return Look(wall, own_children() - client, host - idle * wall)
