"""From a power cut of the serving node to the other node's /healthz, at the real times."""

from __future__ import annotations

import time

from deployments.demo.processes import wait_until
from deployments.demo.three import NODES
from tasks.core.times import Times
from tests.bench.progress import say
from tests.bench.table import Group, Row
from tests.bench.world import SYNC, World, world

ACKNOWLEDGE = "acknowledge/joe"
# After its boot a machine lends nobody its vote for so long; a second fault would wait for it.
BOOT_SECONDS = Times().term_seconds + Times().clock_margin_seconds + 2
MOVE_SECONDS = 120.0


def takeover(times: int) -> list[Group]:
    """Cut the power of whichever node serves; the other one has its memory and free votes."""
    with world() as place:
        took = tuple(cut(place, number, times) for number in range(times))
    start = f"{Times().start_seconds:g} s"
    row = Row(
        f"from the cut until the other node's stand-in, which starts in {start}, is live", took
    )
    return [Group("A power cut of the serving node, T440's voter starts the check", (row,))]


def cut(place: World, number: int, times: int) -> float:
    """One takeover, and everything as before it, with the roles swapped; returns its seconds."""
    serving, other = NODES if number % 2 == 0 else NODES[::-1]
    time.sleep(BOOT_SECONDS)
    place.finish(SYNC)
    say(f"takeover {number + 1} of {times}: {serving} loses power")
    begun = time.monotonic()
    place.three.nodes[serving].power_cut()
    place.await_live(other)
    took = time.monotonic() - begun
    say(f"takeover {number + 1} of {times}: {other} is live after {took:.1f} s")
    wait_until(lambda: has_moved(place, number + 1), MOVE_SECONDS, "the move has ended")
    place.three.nodes[serving].power_on()
    place.await_standby(serving)
    place.finish(ACKNOWLEDGE)  # a third failover within an hour would be a person's
    return took


def has_moved(place: World, count: int) -> bool:
    """Whether so many moves have completed."""
    runs = place.server.runs("failure-handling")
    done = [run for run in runs if run["state_type"] == "COMPLETED"]
    return len(done) >= count
