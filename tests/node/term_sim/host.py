"""A machine: its clock, its power, its standing still, and its voter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deployments.node.messages import Ask, State
from deployments.node.messages import Record as Record

if TYPE_CHECKING:
    from .world import World


DRIFT = 0.02
"""Two clocks differ by so much at most: twenty times what real ones do, and what C = 1 s covers."""


class Host:
    """A machine that votes. `record` is on its disk; the rest of `state` is gone with a boot."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.up = True
        self.boot_no = 0
        self.paused = False
        self.paused_until = 0.0
        self.suspended = 0.0  # seconds, in all: what CLOCK_MONOTONIC is behind CLOCK_BOOTTIME
        self.resumed_at = -1e9
        self.booted_at = 0.0
        self.rate = 1.0 + world.random.uniform(-DRIFT, DRIFT) / 2.0
        self.origin = world.random.uniform(5.0, 1e6)
        self.voter = world.variant.voter(name, world.timing)
        self.state = State(record=Record(1, "pc-a"))

    def begin(self) -> None:
        """Start what runs on this machine, at the start of the schedule or after a boot."""

    def clock(self) -> float:
        """This machine's CLOCK_BOOTTIME."""
        return self.origin + (self.world.now - self.booted_at) * self.rate

    def true_time(self, local: float) -> float:
        return self.booted_at + (local - self.origin) / self.rate

    @property
    def boot_id(self) -> str:
        return f"{self.name}#{self.boot_no}"

    def after(self, delay: float, act: Callable[..., None], *args: Any) -> None:
        self.world.timer(self, delay, act, args)

    def serves(self) -> bool:
        """What this machine's voter sees of a gateway here."""
        return False

    def write(self, state: State) -> None:
        """Put the state on disk and in /run."""
        if state.record != self.state.record:
            self.world.oracle.record_written(self, self.state.record, state.record)
            self.state = state
            self.world.oracle.count_candidates()
        self.state = state

    def hear_ask(self, ask: Ask, source: Host) -> None:
        """Answer, as one process does under the lock: load, decide, write, answer."""
        state, answer = self.voter.answer(ask, self.state, self.clock(), self.serves())
        self.write(state)
        self.world.oracle.was_asked(self, ask, answer)
        self.world.send(self, source, source.hear_answer, answer)

    def hear_answer(self, answer: Any) -> None:
        """An answer has arrived; only guards have asked."""

    def power_cut(self) -> None:
        self.up = False
        self.paused = False
        self.lose_power()
        self.world.oracle.count_candidates()

    def lose_power(self) -> None:
        """What ends with the power, beside all timers."""

    def boot(self) -> None:
        """Come up: a new clock, an empty /run, and the vote withheld."""
        if self.up:
            return
        self.up = True
        self.boot_no += 1
        self.suspended = 0.0
        self.booted_at = self.world.now
        self.origin = self.world.random.uniform(1.0, 60.0)
        vote = self.voter.boot_vote(self.clock())
        self.state = State(record=self.state.record, vote=vote)
        self.world.oracle.count_candidates()
        self.begin()

    def pause(self, seconds: float, suspend: bool) -> None:
        """Stand still: suspended (CLOCK_MONOTONIC too) or frozen (it goes on)."""
        if not self.up or self.paused:
            return
        self.paused = True
        self.paused_until = self.world.now + seconds
        if suspend:
            self.suspended += seconds
        self.world.at(self.paused_until, self._resume, self.boot_no, suspend)
        self.pause_changed()

    def _resume(self, boot_no: int, suspend: bool) -> None:
        if self.boot_no != boot_no or not self.up:
            return
        self.paused = False
        self.resumed_at = self.world.now
        self.pause_changed()
        self.woke(suspend)

    def pause_changed(self) -> None:
        """Processes stand still or go on."""

    def woke(self, suspend: bool) -> None:
        """What happens first after standing still."""
