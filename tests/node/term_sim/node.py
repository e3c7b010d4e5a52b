"""A node: the guard and fuse loops around the Holder, and systemd around those."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from deployments.node.messages import Answer, State
from deployments.node.term import Action, Holder
from deployments.node.term_file import TermFile, fuse_blows
from deployments.node.timing import Timing

from .gateway import Gateway, Unit
from .host import Host

if TYPE_CHECKING:
    from .world import World

D_STATE_SECONDS = 2.0
"""TimeoutStopSec=1, twice: how long systemd waits for a guard that no signal reaches."""


class Node(Host):
    """`polls`: a gateway process runs here and is not standing still (what I1 counts)."""

    def __init__(self, world: World, name: str, other: str) -> None:
        super().__init__(world, name)
        self.other = other
        self.gateway = Gateway(self)
        self.polls = False
        self.guard: Holder | None = None
        self.guard_no = 0
        self.inbox: list[Answer] = []
        self.term_file: TermFile | None = None
        self.ticks = 0
        self.hang_no = 0
        self.hung = False
        self.in_d_state = False
        self.last_sign = 0.0  # CLOCK_MONOTONIC of the last WATCHDOG=1
        self.fuse_hung_until = 0.0
        self.fuse_no = 0

    def begin(self) -> None:
        self.hung = False
        self.fuse_hung_until = 0.0
        self.after(self.world.random.uniform(0.1, 1.0), self.start_guard)

    def monotonic(self) -> float:
        return self.world.now - self.suspended

    def serves(self) -> bool:
        return self.gateway.unit is not Unit.DOWN

    def polls_changed(self) -> None:
        self.polls = self.up and self.gateway.alive and not self.paused

    pause_changed = polls_changed

    def may_not_start(self, permit: Callable[..., str], now: float, timing: Timing) -> bool:
        """ExecCondition= of the gateway unit."""
        state = self.permit_state()
        return bool(permit(self.name, state, self.term_file, self.boot_id, now, timing))

    def permit_state(self) -> State:
        """What `permit` loads under the lock."""
        return self.state

    # The guard

    def start_guard(self) -> None:
        timing = self.world.timing
        self.guard_no += 1
        self.guard = self.world.variant.holder(
            self.name, self.other, self.boot_id, self.clock(), timing
        )
        self.inbox = []
        self.hung = False
        self._tick(self.guard_no)

    def hear_answer(self, answer: Answer) -> None:
        if self.guard is not None:
            self.inbox.append(answer)

    def _tick(self, guard_no: int) -> None:
        """One turn of the guard's loop: hear, publish, act, and each second ask."""
        guard = self.guard
        if guard is None or guard_no != self.guard_no or self.hung:
            return
        self.last_sign = self.monotonic()
        now = self.clock()
        if self.inbox:
            for answer in self.inbox:
                self.world.oracle.answered(self, answer)
                self.write(guard.hear(answer, now, self.state))
            self.inbox = []
        action = guard.look(now, self.state, self.serves())
        self.publish(guard.term_file(now))
        if action is not Action.NOTHING:
            self._act(action)
        self.ticks += 1
        if self.ticks % 2:
            self.send_asks(guard, now)
        self.after(self.world.timing.tick, self._tick, guard_no)

    def publish(self, file: TermFile) -> None:
        self.term_file = file

    def _act(self, action: Action) -> None:
        gateway = self.gateway
        if action is Action.START:
            gateway.start()
        elif action is Action.DRAIN:
            gateway.drain()
        elif action is Action.STOP:
            gateway.stop()
        else:
            gateway.kill()

    def send_asks(self, guard: Holder, now: float) -> None:
        state, ask = guard.ask(now, self.state, self.serves())
        self.write(state)
        if state.record == (state.sole, state.vote.to):
            self.world.oracle.serves_alone(self)
        for host in self.world.others(self.name):
            self.world.send(self, host, host.hear_ask, ask, self)

    # systemd around the guard

    def guard_dies(self) -> None:
        """Killed or crashed: ExecStopPost= kills the gateway's cgroup, then Restart=always."""
        self._end_guard()
        self.gateway.kill()
        self.after(self.world.random.uniform(0.1, 0.5), self.start_guard)

    def _end_guard(self) -> None:
        self.guard = None
        self.guard_no += 1
        self.hung = False

    def hang_guard(self, seconds: float, d_state: bool) -> None:
        """The guard does nothing for so long; in D state no signal reaches it either."""
        if self.guard is None or self.hung:
            return
        self.hung, self.in_d_state = True, d_state
        self.hang_no += 1
        silent = self.monotonic() - self.last_sign
        left = max(0.0, self.world.timing.guard_watchdog - silent)
        self.after(left, self._watchdog_fires, self.hang_no)
        self.after(seconds, self._hang_over, self.hang_no)

    def _hang_over(self, hang_no: int) -> None:
        if hang_no == self.hang_no:
            self.end_hang()

    def end_hang(self) -> None:
        if self.hung:
            self.hung = False
            self._tick(self.guard_no)

    def _watchdog_fires(self, hang_no: int) -> None:
        if not self.hung or hang_no != self.hang_no:
            return
        if not self.in_d_state:
            self.guard_dies()
            return
        self._end_guard()  # BindsTo= stops the gateway softly, ExecStopPost= comes later
        self.gateway.stop()
        self.after(D_STATE_SECONDS, self.guard_dies)

    def woke(self, suspend: bool) -> None:
        """After a freeze systemd may find the guard overdue before the guard runs."""
        silent = self.monotonic() - self.last_sign
        overdue = self.guard is not None and silent > self.world.timing.guard_watchdog
        if overdue and self.world.random.random() < 0.5:
            self.guard_dies()
        self.arm_fuse()  # its next turn is less than 0.5 s away, however long it slept

    # The fuse

    def arm_fuse(self) -> None:
        """Look at the first turn of the fuse from its deadline on; earlier ones do nothing."""
        file = self.term_file
        lead = self.world.timing.fuse_lead
        left = (file.serve_until - lead - self.clock()) / self.rate if file else 0.0
        phase = self.world.random.uniform(0.001, self.world.timing.tick)
        self.fuse_no += 1
        self.after(max(0.0, left) + phase, self._fuse_looks, self.fuse_no)

    def _fuse_looks(self, fuse_no: int) -> None:
        if not self.serves() or fuse_no != self.fuse_no:
            return
        if self.world.now < self.fuse_hung_until:
            self.after(self.fuse_hung_until - self.world.now + 0.01, self._fuse_looks, fuse_no)
            return
        if fuse_blows(self.clock(), self.boot_id, self.term_file, self.world.timing):
            self.gateway.kill()
        self.arm_fuse()

    def lose_power(self) -> None:
        self._end_guard()
        self.term_file = None
        self.inbox = []
        self.gateway.cut_power()
