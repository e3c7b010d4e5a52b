"""What can go wrong, by name: a fault is (time, name, arguments)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from deployments.node.messages import Record, State

if TYPE_CHECKING:
    from .host import Host
    from .node import Node
    from .world import World


class Fault(NamedTuple):
    at: float
    name: str
    args: tuple[Any, ...] = ()


NODES = ("pc-a", "pc-b")
HOSTS = (*NODES, "t440")


def cut(world: World, source: str, target: str, seconds: float, both: bool) -> None:
    """Nothing passes from source to target, or between them, for so long."""
    ways = [(source, target), (target, source)] if both else [(source, target)]
    for way in ways:
        world.cuts[way] = world.cuts.get(way, 0) + 1
        world.at(world.now + seconds, _heal, world, way)
    _touch(world, source, target)


def _heal(world: World, way: tuple[str, str]) -> None:
    world.cuts[way] = max(0, world.cuts.get(way, 0) - 1)
    _touch(world, *way)


def isolate(world: World, name: str, seconds: float) -> None:
    """The machine's cable is out."""
    for other in HOSTS:
        if other != name:
            cut(world, name, other, seconds, True)


def slow(world: World, source: str, target: str, delay: float, seconds: float) -> None:
    """Every message on this way takes `delay` longer."""
    world.slow[(source, target)] = delay
    world.at(world.now + seconds, _fast, world, (source, target))
    _touch(world, source, target)


def _fast(world: World, way: tuple[str, str]) -> None:
    world.slow.pop(way, None)


def power_cut(world: World, name: str, seconds: float) -> None:
    """Off at once, and booted again after so long."""
    world.hosts[name].power_cut()
    _touch(world, name, name)
    world.at(world.now + seconds, _boot, world, name)


def _boot(world: World, name: str) -> None:
    world.hosts[name].boot()
    _touch_end(world, name)


def pause(world: World, name: str, seconds: float, suspend: bool) -> None:
    """The machine stands still: suspended, or frozen while CLOCK_MONOTONIC goes on."""
    world.hosts[name].pause(seconds, suspend)
    _touch(world, name, name)
    world.at(world.now + seconds, _touch_end, world, name)


def hang_guard(world: World, name: str, seconds: float, d_state: bool) -> None:
    world.nodes[name].hang_guard(seconds, d_state)
    _touch(world, name, name)


def kill_guard(world: World, name: str) -> None:
    if world.nodes[name].guard is not None:
        world.nodes[name].guard_dies()
    _touch(world, name, name)


def hang_fuse(world: World, name: str, seconds: float) -> None:
    world.nodes[name].fuse_hung_until = world.now + seconds


def crash_gateway(world: World, name: str) -> None:
    _touch(world, name, name)
    world.nodes[name].gateway.crash()


def sick_gateway(world: World, name: str, seconds: float) -> None:
    """It answers nobody and ignores SIGTERM."""
    world.nodes[name].gateway.sick = True
    world.at(world.now + seconds, _well, world.nodes[name])


def _well(node: Node) -> None:
    node.gateway.sick = False


def start_by_hand(world: World, name: str) -> None:
    """Somebody types systemctl start on a node."""
    world.nodes[name].gateway.start()


def move(world: World, target: str) -> None:
    """A move with no silence before it, no drain and no sync: force-failover."""
    if world.t440.up and not world.t440.paused:
        world.t440.begin_move(target, drain=False, disk=False)


def switchover(world: World, target: str) -> None:
    if world.t440.up and not world.t440.paused:
        world.t440.begin_move(target, drain=True, disk=True)


def kill_flow(world: World) -> None:
    """The process of the move dies, or Prefect with it; T440's voter goes on."""
    world.t440.move = None


def crash_t440_after(world: World, step: int, seconds: float) -> None:
    """T440 loses its power right after this numbered step of its next move."""
    world.t440.crash_after, world.t440.crash_seconds = step, seconds


def record_older(world: World, epochs: int, reboot: bool) -> None:
    """T440's record is restored from a backup, so many epochs older, with or without a reboot."""
    record = world.t440.state.record
    if record is not None and record.epoch > epochs:
        older = record._replace(epoch=record.epoch - epochs, holder="pc-a")
        _replace_state(world, world.t440.state._replace(record=older), reboot)


def record_lost(world: World, reboot: bool) -> None:
    """T440's record is gone: no vote is lent until both nodes have asked."""
    if _is_last_record(world, world.t440):
        return
    state = world.t440.state._replace(record=None, missing=frozenset(NODES), heard={})
    _replace_state(world, state, reboot)


def node_restored(world: World, name: str, epochs: int, seconds: float) -> None:
    """A node is off, and comes back with a record so many epochs older, or with none."""
    power_cut(world, name, seconds)
    node = world.nodes[name]
    record = node.state.record
    if record is not None:
        epoch = record.epoch - epochs
        if epoch > 0 or not _is_last_record(world, node):
            older = record._replace(epoch=epoch, holder=name) if epoch > 0 else None
            node.state = node.state._replace(record=older)


def _is_last_record(world: World, host: Host) -> bool:
    """With no record on any machine nobody serves until a person makes a first one again."""
    others = (other for other in world.hosts.values() if other is not host)
    return all(other.state.record is None for other in others)


def promote(world: World, name: str, alone: bool) -> None:
    """A person has a node take over, T440 being gone.

    `alone`: the person has looked: the two others are off; and T440 will lose its record.
    """
    node, t440 = world.nodes[name], world.t440
    record = node.state.record
    others_are_off = not t440.up and not world.nodes[node.other].up
    if not node.up or record is None or (alone and not others_are_off):
        return
    epoch = record.epoch + 1000
    if alone:
        t440.state = t440.state._replace(record=None)
    node.write(node.state._replace(record=Record(epoch, name), sole=epoch if alone else 0))


def _replace_state(world: World, state: State, reboot: bool) -> None:
    world.t440.state = state
    if reboot and world.t440.up:
        power_cut(world, "t440", 2.0)


def _touch(world: World, source: str, target: str) -> None:
    """T440 gone: I6 holds from now on. Anything else: the holder may have a reason to stop."""
    is_gone = not world.t440.up or world.t440.paused or _is_alone(world)
    if "t440" in (source, target) and is_gone:
        world.oracle.watch_i6()
    else:
        world.oracle.end_i6()


def _touch_end(world: World, name: str) -> None:
    world.oracle.end_i6()


def _is_alone(world: World) -> bool:
    return all(world.is_cut(*way) for n in NODES for way in (("t440", n), (n, "t440")))


ALL: tuple[Callable[..., None], ...] = (
    *(cut, isolate, slow, power_cut, pause, hang_guard, kill_guard, hang_fuse, crash_gateway),
    *(sick_gateway, start_by_hand, move, switchover, crash_t440_after, record_older, record_lost),
    *(promote, node_restored, kill_flow),
)
FAULTS = {act.__name__: act for act in ALL}


def plan_faults(world: World, faults: Sequence[Fault]) -> None:
    for fault in faults:
        world.at(fault.at, _happen, world, fault)


def _happen(world: World, fault: Fault) -> None:
    world.oracle.end_i6()
    FAULTS[fault.name](world, *fault.args)
