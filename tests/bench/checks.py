"""What a health check costs all three machines, when it starts, and what T440 costs in all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from deployments.demo.three import T440
from tests.bench.cpu import read_roles, spent
from tests.bench.progress import say
from tests.bench.table import Goal, Group, Row, one_more
from tests.bench.world import (
    CHECK,
    DR,
    IN_A_PROCESS,
    PRIMARY,
    SYNC,
    World,
    await_quiet_moment,
    world,
)

INTERVAL = 30.0  # between two checks of the schedule
SPAN, MORE = 2 * INTERVAL, 20
# Moments of a span at which a run is ordered at once; one in a process of its own takes seconds.
AT_ONCE = (4.0, 11.0, 18.0)
HOUR = 3600.0
# The times of a run, as Prefect's API calls them
ORDERED, DUE, BEGUN, ENDED = "created", "expected_start_time", "start_time", "end_time"
FIRST_DUE = 3.0
# A worker asks every 10 s, 13 s at most. Who orders a run later than that has to wake it; the
# schedule plans its runs long before.
NOTICE = 15.0
ALL_MACHINES = "CPU of all three machines"
T440_GOAL, NODE_GOAL, SHARE_GOAL = Goal(0.35), Goal(0.010), Goal(0.04)
PUNCTUAL = Goal(1.0, share=0.99)


@dataclass(frozen=True)
class Span:
    """What each machine spent in some seconds, by role, and the runs that were ordered in them."""

    machines: dict[str, dict[str, float]]
    runs: list[dict[str, Any]]

    def cpu(self, name: str, role: str = "") -> float:
        """CPU seconds of one role on one machine, of all roles without one."""
        roles = self.machines[name]
        return roles[role] if role else sum(roles.values())


def measure(
    place: World, seconds: float, orders: Sequence[tuple[str, float]] = (), at_once: str = ""
) -> Span:
    """One span that begins between two checks of the schedule; orders are (deployment, due in).

    `at_once`: a deployment of which a run is ordered at each moment of AT_ONCE, without notice.
    """
    await_quiet_moment(INTERVAL)
    machines = place.three.machines
    before = {name: read_roles(machine) for name, machine in machines.items()}
    begun = time.monotonic()
    ids = [place.order(deployment, due) for deployment, due in orders]
    for moment_of_order in AT_ONCE if at_once else ():
        sleep_until(begun + moment_of_order)
        ids.append(place.order_at_once(at_once))
    sleep_until(begun + seconds)
    after = {name: read_roles(machine) for name, machine in machines.items()}
    return Span({name: spent(before[name], after[name]) for name in machines}, place.read_runs(ids))


def sleep_until(monotonic: float) -> None:
    """Nothing happens until then; at once when it is past."""
    time.sleep(max(0.0, monotonic - time.monotonic()))


def checks(times: int) -> list[Group]:
    """The costs of a check, of the whole schedule, and of the two kinds of workers."""
    with world() as place:
        pause = (SPAN - NOTICE - 5.0) / MORE
        more = [(CHECK, NOTICE + pause * number) for number in range(MORE)]
        since = datetime.now().astimezone()
        idle, busy = [], []
        for number in range(times):
            say(f"checks {number + 1} of {times}: the schedule alone, then {MORE} checks more")
            idle.append(measure(place, SPAN))
            busy.append(measure(place, SPAN, more))
        late = lateness(place, since)
        inside, apart = [], []
        for number in range(times):
            say(f"workers {number + 1} of {times}: {len(AT_ONCE)} checks at once by either worker")
            inside.append(measure(place, INTERVAL, at_once=CHECK))
            apart.append(measure(place, INTERVAL, at_once=IN_A_PROCESS))
        syncs, backups = [], []
        for number in range(times):
            say(f"schedule {number + 1} of {times}: a memory sync, then a backup of each tier")
            syncs.append(measure(place, INTERVAL, [(SYNC, FIRST_DUE)]))
            backups.append(measure(place, INTERVAL, [(PRIMARY, FIRST_DUE), (DR, 15.0)]))
    return [
        Group(f"One check more ({MORE} in {SPAN:.0f} s)", check_rows(idle, busy, late)),
        Group("T440 with everything that it runs", schedule_rows(idle, syncs, backups)),
        Group("The same check by either worker, without notice", worker_rows(idle, inside, apart)),
    ]


def lateness(place: World, since: datetime) -> tuple[float, ...]:
    """Seconds from the time of each check by the schedule's worker since then until it began."""
    runs = place.server.runs("health-check", limit=200)
    found = [run for run in runs if run["deployment_id"] == place.id_of(CHECK)]
    return tuple(seconds_between(run, DUE, BEGUN) for run in found if moment(run, DUE) >= since)


def moment(run: dict[str, Any], field: str) -> datetime:
    """A time of a run, as Prefect tells it."""
    return datetime.fromisoformat(run[field])


def seconds_between(run: dict[str, Any], first: str, last: str) -> float:
    """Seconds from one time of a run to another."""
    return (moment(run, last) - moment(run, first)).total_seconds()


def walls(spans: Sequence[Span], first: str, last: str) -> tuple[float, ...]:
    """Seconds from one time of each run to another."""
    return tuple(seconds_between(run, first, last) for span in spans for run in span.runs)


def check_rows(
    idle: Sequence[Span], busy: Sequence[Span], late: tuple[float, ...]
) -> tuple[Row, ...]:
    """What one check more costs beyond a schedule that runs anyway, and when it starts."""

    def cost(name: str, role: str = "") -> tuple[float, ...]:
        spent_by = [[span.cpu(name, role) for span in spans] for spans in (busy, idle)]
        return one_more(spent_by[0], spent_by[1], MORE)

    a, b = (cost(name) for name in ("pc-a", "pc-b"))
    t440 = cost(T440)
    total = tuple(sum(all_three) for all_three in zip(t440, a, b, strict=True))
    return (
        Row("CPU of T440", t440, goal=T440_GOAL),
        Row("- of it, Prefect's server and database", cost(T440, "server")),
        Row("- of it, the worker", cost(T440, "worker")),
        Row("- of it, the voter and its ssh", cost(T440, "ssh"), "ms"),
        Row("CPU of pc-a, which serves", a, "ms", NODE_GOAL),
        Row("CPU of pc-b, which stands by", b, "ms", NODE_GOAL),
        Row(ALL_MACHINES, total),
        Row("from its begin to its end", walls(busy, BEGUN, ENDED)),
        Row("from its time to its begin", late, goal=PUNCTUAL),
    )


def schedule_rows(
    idle: Sequence[Span], syncs: Sequence[Span], backups: Sequence[Span]
) -> tuple[Row, ...]:
    """T440 at the full schedule: checks are in the idle spans, copies are added by their number."""
    base = [span.cpu(T440) for span in idle]
    half = [cpu * INTERVAL / SPAN for cpu in base]
    sync = one_more([span.cpu(T440) for span in syncs], half, 1)
    backup = one_more([span.cpu(T440) for span in backups], half, 1)
    copies = zip(base, sync, backup, strict=True)
    # An hour has 12 syncs and one backup of each tier.
    full = tuple(cpu / SPAN + (12 * one + both) / HOUR for cpu, one, both in copies)
    return (
        Row("of a core, a check every 30 s alone", tuple(cpu / SPAN for cpu in base), "%"),
        Row("CPU of one memory sync more", sync),
        Row("CPU of one backup of each tier more", backup),
        Row("of a core, with 12 syncs and a backup of each tier an hour", full, "%", SHARE_GOAL),
    )


def worker_rows(
    idle: Sequence[Span], inside: Sequence[Span], apart: Sequence[Span]
) -> tuple[Row, ...]:
    """A check in the worker's process, and in a process of its own."""
    half = [median(span.cpu(T440) for span in idle) * INTERVAL / SPAN]
    rows = []
    for kind, spans in (("in the worker's process", inside), ("a process for each run", apart)):
        cpu = one_more([span.cpu(T440) for span in spans], half, len(AT_ONCE))
        rows.append(Row(f"CPU of T440, {kind}", cpu))
        rows.append(Row(f"from its order to its begin, {kind}", walls(spans, ORDERED, BEGUN)))
        rows.append(Row(f"from its order to its end, {kind}", walls(spans, ORDERED, ENDED)))
    return tuple(rows)
