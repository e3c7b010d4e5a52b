"""The sessions of a node's sshd are killed at any moment of a look: the node is never blamed."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from statistics import median

import pytest

from deployments.demo.machine import Machine
from deployments.demo.processes import send
from tasks.core.state import Health, Observation, Ssh
from tasks.observe import look
from tasks.remote.nodes import close_site
from tests.site_machines import Ground, ground
from tests.soak.faults import find_sshd

ROUNDS = 50


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground() as made:
        made.serve()
        yield made


def kill_sessions(machine: Machine) -> None:
    """Every process of its sshd but the one that listens."""
    listens = int((machine.etc / "sshd.pid").read_text())
    send([pid for pid in find_sshd(machine) if pid != listens], signal.SIGKILL)


def look_seconds(place: Ground) -> tuple[float, float]:
    """What a look takes here and now that has a connection, and one that opens it first."""
    took = []
    for _ in range(5):
        close_site(place.site)
        begun = time.monotonic()
        look(place.site, "pc-a")
        opened = time.monotonic()
        look(place.site, "pc-a")
        took.append((time.monotonic() - opened, opened - begun))
    return median(kept for kept, _ in took), median(opened for _, opened in took)


def test_a_link_that_breaks_within_a_look_says_nothing_of_the_gateway(place: Ground) -> None:
    """A check once told people that a gateway does not answer, when only its sshd was killed."""
    chance = random.Random(5)
    seen: list[Observation] = []
    limits = tuple(2 * seconds for seconds in look_seconds(place))
    for turn in range(ROUNDS):
        node = place.three.nodes["pc-a"]
        after = chance.uniform(0, limits[turn % 2])
        killer = threading.Timer(after, kill_sessions, (node,))
        killer.start()
        seen.append(look(place.site, "pc-a")[0])
        killer.join()
        if turn % 2:
            look(place.site, "pc-a")  # the next round has a connection
    kinds = Counter((one.ssh, one.healthz) for one in seen)
    print(kinds)
    assert all(one.gateway_runs for one in seen if one.ssh is Ssh.OK)
    assert set(kinds) == {(Ssh.OK, Health.OK), (Ssh.TIMEOUT, Health.UNKNOWN)}, seen
