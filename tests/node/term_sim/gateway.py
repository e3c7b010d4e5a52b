"""A gateway unit as systemd runs it: states, signals, restarts, and whether it polls."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from deployments.node.term_file import why_no_start

if TYPE_CHECKING:
    from .node import Node

RESTART_SECONDS = 10.0
"""RestartSec of the gateway unit; activating (auto-restart) counts as serving meanwhile."""


class Unit(Enum):
    DOWN = "inactive"
    ACTIVATING = "activating"
    ACTIVE = "active"


class Gateway:
    """`alive`: its process exists. `sick`: it answers nobody and ignores SIGTERM."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.unit = Unit.DOWN
        self.alive = False
        self.sick = False
        self.told_to_stop = False
        self.started_at = 0.0
        self._life = 0  # an event of an earlier life finds another number

    @property
    def is_up(self) -> bool:
        """Does it answer on /healthz?"""
        old = self.node.world.now - self.started_at >= self.node.world.timing.gateway_start
        return self.alive and old and not self.sick and not self.told_to_stop

    def start(self) -> None:
        """systemctl start: activating first, then ExecCondition, then the process."""
        if self.unit is Unit.DOWN:
            self._activate(0.01 + self.node.world.random.random() ** 4)

    def _activate(self, delay: float) -> None:
        self.unit = Unit.ACTIVATING
        self._life += 1
        self.node.after(delay, self._condition, self._life)

    def _condition(self, life: int) -> None:
        if life != self._life or self.unit is not Unit.ACTIVATING:
            return
        node = self.node
        now, timing = node.clock(), node.world.timing
        if node.may_not_start(why_no_start, now, timing):
            self.unit = Unit.DOWN
            return
        self.unit, self.alive, self.told_to_stop = Unit.ACTIVE, True, False
        self.started_at = node.world.now
        node.world.oracle.started(node)
        node.polls_changed()
        node.arm_fuse()

    def drain(self) -> None:
        """SIGTERM to the main process alone; the unit is left as it is."""
        self._terminate()

    def stop(self) -> None:
        """systemctl stop without waiting: SIGTERM, no restart, SIGKILL after TimeoutStopSec = K."""
        if self.unit is Unit.ACTIVATING:
            self._gone()
        self._terminate()
        self.node.after(self.node.world.timing.kill_budget, self._times_out, self._life)

    def _times_out(self, life: int) -> None:
        if life == self._life:
            self.kill()

    def _terminate(self) -> None:
        if not self.alive or self.told_to_stop:
            return
        self.told_to_stop = True
        self.node.world.oracle.stopping(self.node)
        if not self.sick:
            seconds = 0.05 + 12.0 * self.node.world.random.random() ** 4
            self.node.after(seconds, self._die, self._life)

    def kill(self) -> None:
        """SIGKILL to the whole cgroup."""
        if not self.alive:
            self._gone()
            return
        self.told_to_stop = True
        self.node.world.oracle.stopping(self.node)
        self.node.after(0.002 + 0.03 * self.node.world.random.random(), self._die, self._life)

    def _die(self, life: int) -> None:
        if life == self._life and self.alive:
            self._gone()

    def crash(self) -> None:
        """Exit by itself: systemd will start it again after RestartSec."""
        if self.alive:
            told = self.told_to_stop
            self._gone()
            if not told:
                self._activate(RESTART_SECONDS)

    def cut_power(self) -> None:
        self._gone()
        self.sick = False

    def _gone(self) -> None:
        self._life += 1
        self.unit, self.alive, self.told_to_stop = Unit.DOWN, False, False
        self.node.polls_changed()
