"""The event queue, the network and the three machines of one simulated schedule.

Time here is true time in seconds from 0; no machine sees it, each has its own clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from deployments.node.term import Holder, Voter
from deployments.node.timing import Timing

from .host import Host
from .node import Node
from .oracle import Oracle
from .watchdog import Watchdog

# An event: true time, order of making, machine or None, its boot, its suspended seconds (-1 for
# what comes from outside), what to call.
Event = tuple[float, int, Host | None, int, float, Callable[..., None], tuple[Any, ...]]
OUTSIDE = -1.0


@dataclass(frozen=True)
class Variant:
    """The code under test; the broken variants replace one part of it each."""

    holder: type[Holder] = Holder
    voter: type[Voter] = Voter
    node: type[Node] = Node
    watchdog: type[Watchdog] = Watchdog
    timing: Timing = field(default_factory=Timing)


@dataclass
class Noise:
    """What happens to messages at random, as shares of 1."""

    late: float = 0.03
    latest: float = 30.0
    lost: float = 0.01
    doubled: float = 0.02


QUIET = Noise(0.0, 0.0, 0.0, 0.0)


class World:
    """One run. All chance comes from `seed`, so a run can be repeated exactly."""

    def __init__(
        self, seed: int, variant: Variant | None = None, noise: Noise | None = None
    ) -> None:
        self.random = random.Random(seed)
        self.variant = variant or Variant()
        self.timing = self.variant.timing
        self.noise = noise or QUIET
        self.now = 0.0
        self._heap: list[Event] = []
        self._made = 0
        self.cuts: dict[tuple[str, str], int] = {}
        self.slow: dict[tuple[str, str], float] = {}
        self.oracle = Oracle(self)
        self.pc_a = self.variant.node(self, "pc-a", "pc-b")
        self.pc_b = self.variant.node(self, "pc-b", "pc-a")
        self.t440 = self.variant.watchdog(self, "t440")
        self.hosts: dict[str, Host] = {h.name: h for h in (self.pc_a, self.pc_b, self.t440)}
        self.nodes: dict[str, Node] = {n.name: n for n in (self.pc_a, self.pc_b)}
        for host in self.hosts.values():
            host.begin()

    def at(self, time: float, act: Callable[..., None], *args: Any) -> None:
        """Call something at a true time, whatever state the machines are in."""
        self._push(time, None, 0, OUTSIDE, act, args)

    def timer(
        self, host: Host, delay: float, act: Callable[..., None], args: tuple[Any, ...]
    ) -> None:
        """A timer on a machine: dies with its boot, stands still while it is suspended."""
        self._push(self.now + delay, host, host.boot_no, host.suspended, act, args)

    def _push(
        self,
        time: float,
        host: Host | None,
        boot: int,
        suspended: float,
        act: Callable[..., None],
        args: tuple[Any, ...],
    ) -> None:
        self._made += 1
        heappush(self._heap, (time, self._made, host, boot, suspended, act, args))

    def run(self, until: float) -> None:
        """Let time pass; the invariants are checked over every span between two events."""
        heap, oracle = self._heap, self.oracle
        while heap and heap[0][0] <= until:
            time, _, host, boot, suspended, act, args = heappop(heap)
            if host is not None:
                if host.boot_no != boot or not host.up:
                    continue
                if suspended not in (OUTSIDE, host.suspended):
                    later = time + host.suspended - suspended
                    self._push(later, host, boot, host.suspended, act, args)
                    continue
                if host.paused:
                    later = host.paused_until + self.random.uniform(0.0, 0.02)
                    self._push(later, host, boot, suspended, act, args)
                    continue
            if time > self.now:
                oracle.span(self.now, time)
                self.now = time
            act(*args)
        oracle.span(self.now, until)
        self.now = until

    def others(self, name: str) -> Iterator[Host]:
        return (host for host in self.hosts.values() if host.name != name)

    def is_cut(self, source: str, target: str) -> bool:
        return self.cuts.get((source, target), 0) > 0

    def reaches(self, host: Host) -> bool:
        """Can T440 get an answer over ssh from this machine now?"""
        there = self.is_cut("t440", host.name)
        back = self.is_cut(host.name, "t440")
        return host.up and not host.paused and not there and not back

    def send(self, source: Host, target: Host, act: Callable[..., None], *args: Any) -> None:
        """One message; it may be lost, late, doubled, and so overtaken by later ones."""
        chance, noise = self.random.random, self.noise
        if self.is_cut(source.name, target.name) or chance() < noise.lost:
            return
        for _ in range(2 if chance() < noise.doubled else 1):
            delay = 0.002 + 0.03 * chance() + self.slow.get((source.name, target.name), 0.0)
            if chance() < noise.late:
                delay += noise.latest * chance()
            self._push(self.now + delay, target, target.boot_no, OUTSIDE, act, args)
