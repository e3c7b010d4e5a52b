"""T440: its voter, its checks every 30 s and after silence, and the Move that they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.node.messages import Drain, Record, next_record
from tasks.core import move as m
from tasks.core.state import Record as Decided

from .host import Host

if TYPE_CHECKING:
    from .node import Node
    from .world import World

PREFERRED = "pc-a"
WELL_SECONDS = 20.0
"""How long the preferred node must be well before a failback; shortened from 5 min."""
UNWELL_SECONDS = 50.0
"""A gateway that does not answer is restarted in place after 20 s, and left after another 30."""


class Watchdog(Host):
    """`crash_after`: the numbered step of a move after which this machine loses its power."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.move: m.Move | None = None
        self.drained_at = -1e9
        self.crash_after = 0
        self.crash_seconds = 0.0
        self.failback = True
        self.automatic = True  # without it only the schedule itself begins moves
        self._synced: bool | None = None
        self._checking = False
        self._check_at = -1e9
        self._quiet_told = False
        self._unwell_since: float | None = None
        self._well_since: float | None = None
        self._check_no = 0

    def begin(self) -> None:
        if self.state.record is None:
            self.state = self.state._replace(missing=frozenset(self.world.nodes))
        self.move = None
        self._checking = self._quiet_told = False
        self._unwell_since = self._well_since = None
        self._check_no += 1
        self.after(self.world.random.uniform(0.0, 30.0), self._schedule)
        self.after(1.0, self._listen)

    def lose_power(self) -> None:
        self.move = None

    # Checks

    def _schedule(self) -> None:
        self._check()
        timing = self.world.timing
        jitter = self.world.random.uniform(0.0, timing.check_jitter)
        self.after(timing.check + jitter, self._schedule)

    def _listen(self) -> None:
        """The voter starts a check after silence: one per silence, never two within 10 s."""
        record = self.state.record
        silent = record is not None and self.heard_s(record.holder) >= self.world.timing.silence
        if not silent:
            self._quiet_told = False
        elif not self._quiet_told and self.world.now - self._check_at > 10.0:
            self._quiet_told = True
            self._check()
        self.after(1.0, self._listen)

    def heard_s(self, name: str) -> float:
        """Seconds since the node was heard serving, here or, as it says, by the other node."""
        age = self.clock() - self.origin  # after a boot all ages start at the boot
        heard = self.state.heard.get(name)
        if heard is not None and heard.serving_at is not None:
            age = self.clock() - heard.serving_at
        other = self.state.heard.get(self.world.nodes[name].other)
        if other is not None and other.peer_heard_s is not None:
            age = min(age, other.peer_heard_s + self.clock() - other.at)
        return age

    def asked_s(self, name: str) -> float | None:
        heard = self.state.heard.get(name)
        return None if heard is None else self.clock() - heard.at

    def _check(self) -> None:
        busy = self._checking or self.move is not None
        if busy or not self.automatic or self.state.record is None:
            return
        self._checking = True
        self._check_at = self.world.now
        self._probe(self.clock() + 22.0)

    def _probe(self, deadline: float) -> None:
        """Look at both nodes at once; silence costs the deadline of a probe."""
        seen = {node.name: self.world.reaches(node) for node in self.world.nodes.values()}
        slow = self.world.timing.probe if not all(seen.values()) else 0.2
        self.after(slow, self._decide, seen, deadline)

    def _decide(self, seen: dict[str, bool], deadline: float) -> None:
        self._checking = False
        record = self.state.record
        if record is None or self.move is not None or self._settle_conflict(record):
            return
        holder = self.world.nodes[record.holder]
        if seen[holder.name]:
            self._decide_reached(record, holder, seen[holder.other])
            return
        self._well_since = None
        if self.heard_s(holder.name) >= self.world.timing.silence:
            asked = self.asked_s(holder.other)
            if asked is not None and asked <= 6.0:
                self.begin_move(holder.other, drain=False, disk=False)
        elif self.clock() < deadline and self.heard_s(holder.name) >= 3.0:
            self._checking = True
            self.after(1.0, self._probe, deadline)

    def _decide_reached(self, record: Record, holder: Node, other_reached: bool) -> None:
        if not holder.gateway.is_up:
            self._well_since = None
            self._unwell_since = self._unwell_since or self.world.now
            if self.world.now - self._unwell_since >= UNWELL_SECONDS and other_reached:
                self._unwell_since = None
                self.begin_move(holder.other, drain=False, disk=True)
            return
        self._unwell_since = None
        if holder.name == PREFERRED or not other_reached or not self.failback:
            self._well_since = None
            return
        self._well_since = self._well_since or self.world.now
        if self.world.now - self._well_since >= WELL_SECONDS:
            self.begin_move(PREFERRED, drain=True, disk=True)

    def _settle_conflict(self, record: Record) -> bool:
        """A node knows this epoch with another holder (T440's record was older): write a higher."""
        heard = self.state.heard.values()
        known = [h.record for h in heard if h.record is not None and h.record.epoch == record.epoch]
        if all(other == record for other in known):
            return False
        serving = min(self.world.nodes, key=self.heard_s)
        self._write_record(record, serving)
        return True

    # The move

    def begin_move(self, target: str, drain: bool, disk: bool) -> None:
        record = self.state.record
        if self.move is not None or record is None or record.holder == target:
            return
        source = self.world.nodes[target].other
        plan = m.Plan(Decided(*record), source, target, "simulated", drain, disk, drain, 20.0)
        self._synced = None
        self.move = m.Move(plan, self.clock())
        self._advance(self.move)

    def _advance(self, move: m.Move) -> None:
        if self.move is not move:
            return
        before = move.step
        effects = move.advance(self.clock(), self._seen(move.plan))
        if self._crashes(before, move.step):
            return
        for effect in effects:
            self._carry_out(effect)
        if move.finished is None:
            self.after(0.5, self._advance, move)
            return
        self.move = None
        if move.finished.move_back:
            self.begin_move(move.plan.source, drain=False, disk=True)

    def _crashes(self, before: m.Step, step: m.Step) -> bool:
        """Steps 1 to 4 are over when a later one has begun, and 5 when it has."""
        over = before <= self.crash_after < step or self.crash_after == step == m.Step.JOURNAL
        if not self.crash_after or not over:
            return False
        self.crash_after = 0
        self.power_cut()
        self.world.oracle.watch_i6()
        self.world.at(self.world.now + self.crash_seconds, self.boot)
        return True

    def _seen(self, plan: m.Plan) -> m.Seen:
        record = self.state.record
        source, target = self.world.nodes[plan.source], self.world.nodes[plan.target]
        heard = self.state.heard.get(plan.source)
        silent = heard is None or heard.record is None or heard.record.epoch != plan.record.epoch
        return m.Seen(
            record=Decided(*record) if record else None,
            source_serving=silent or bool(heard and heard.serving),
            source_heard_s=self.asked_s(plan.source),
            target_heard_s=self.asked_s(plan.target),
            source_promotable=self.world.reaches(source),
            target_serves=self.world.reaches(target) and target.gateway.is_up,
            synced=self._synced,
        )

    def _carry_out(self, effect: m.Effect) -> None:
        if isinstance(effect, m.RenewDrain):
            self.drained_at = self.world.now
            self.write(self.state._replace(drain=Drain(*effect)))
        elif isinstance(effect, m.EndDrain):
            self.write(self.state._replace(drain=None))
        elif isinstance(effect, m.KillGateway):
            node = self.world.nodes[effect.node]
            if self.world.reaches(node):
                node.gateway.kill()
        elif isinstance(effect, m.FinalSync):
            self.after(self.world.random.uniform(0.5, 4.0), self._sync_ends, self.move)
        elif isinstance(effect, m.WriteRecord):
            self._write_record(Record(*effect.decided_on), effect.holder)

    def _sync_ends(self, move: m.Move) -> None:
        if self.move is move:
            self._synced = all(self.world.reaches(node) for node in self.world.nodes.values())

    def _write_record(self, decided_on: Record, holder: str) -> None:
        new = next_record(self.state, decided_on, holder)
        if new is not None:
            self.world.oracle.counts.moves += 1
            self.write(self.state._replace(record=new))
