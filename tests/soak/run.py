"""One soak on the demo's machines: faults by plan, samples, an operator, a line a minute."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from deployments.demo.prefect_api import FINAL
from deployments.demo.prefect_server import PrefectServer
from deployments.demo.story import Story, say
from tasks.core.site import Site
from tasks.journal import load_history, read_journal

from .alerts import Alert, Fault, Running
from .curves import Sample
from .faults import Faults, sample_worker
from .plan import Planned

TICK_SECONDS = 0.5
SAMPLE_SECONDS = 10.0
OPERATOR_SECONDS = 5.0
QUIET_SECONDS = 60.0
# After the quiet minute: a failback waits for memory, and may be tried again.
HOME_SECONDS = 240.0


class Soak:
    """`run` does what `planned` says; afterwards the lists say what happened and was seen."""

    def __init__(
        self, story: Story, server: PrefectServer, site: Site, planned: list[Planned], seed: int
    ) -> None:
        self.story, self.server, self.site = story, server, site
        self.waiting = list(planned)
        self.seconds = 60.0 * len(planned)
        self.injected = Faults(story.three, seed)
        self.faults: list[Fault] = []
        self.samples: list[Sample] = []
        self.acknowledged: list[str] = []  # ids of the runs that an operator ordered
        self.is_home = False
        self._away: list[tuple[float, Planned, Fault]] = []
        self._due: dict[str, float] = {}
        self.begun, self.begun_wall = time.monotonic(), time.time()

    @property
    def t(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.begun

    def run(self) -> None:
        """The faults, a quiet minute, and then until Joe is at home again."""
        while self.t < self.seconds or self._away:
            self.turn()
        say(f"no more faults; {QUIET_SECONDS:g} s of quiet")
        quiet = self.t + QUIET_SECONDS
        while self.t < quiet:
            self.turn()
        while not (self.is_home or self.t > quiet + HOME_SECONDS):
            self.turn()
            self.is_home = self.look_home()
        say(f"Joe is {'' if self.is_home else 'not '}at home, {self.t - quiet:.0f} s later")

    def turn(self) -> None:
        """Whatever is due; then a short rest."""
        for due, planned, fault in list(self._away):
            if self.t >= due:
                self.mend(due, planned, fault)
        for planned in list(self.waiting):
            if planned.at <= self.t < self.seconds:
                self.inject(planned)
        self.now_and_then("sample", SAMPLE_SECONDS, self.sample)
        self.now_and_then("operator", OPERATOR_SECONDS, self.operate)
        self.now_and_then("progress", 60, self.tell)
        time.sleep(TICK_SECONDS)

    def now_and_then(self, what: str, seconds: float, action: Callable[[], None]) -> None:
        if self.t >= self._due.get(what, 0.0):
            self._due[what] = self.t + seconds
            action()

    def inject(self, planned: Planned) -> None:
        """A fault that finds nothing to kill is tried again with the next turn."""
        begun = time.time()
        if not self.injected.begin(planned.kind, planned.target):
            return
        self.waiting.remove(planned)
        fault = Fault(begun, math.inf if planned.away else begun, planned.kind, planned.target)
        self.faults.append(fault)
        say(f"killed: {fault}" + (f", for {planned.away:.0f} s" if planned.away else ""))
        if planned.away:
            self._away.append((self.t + planned.away, planned, fault))

    def mend(self, due: float, planned: Planned, fault: Fault) -> None:
        self.injected.mend(planned.kind, planned.target)
        self._away.remove((due, planned, fault))
        fault.until = time.time()

    def sample(self) -> None:
        self.samples.append(sample_worker(self.story.three.t440, self.t))

    def operate(self) -> None:
        """An operator who sees the latch acknowledges it, by the deployment's form."""
        if not load_history(self.site).latched:
            return
        with contextlib.suppress(OSError):  # the server is away: again at the next look
            if self.acknowledged:
                last = self.server.request(f"/flow_runs/{self.acknowledged[-1]}")
                if last["state_type"] not in FINAL:
                    return
            self.acknowledged.append(self.server.start_run("acknowledge/joe"))
            say("latched: acknowledged by the operator")

    def tell(self) -> None:
        """One line for whoever watches."""
        last, running = self.samples[-1], self.changes()[-1][1]
        say(
            f"minute {self.t / 60:.0f}: {len(self.faults)} faults, {len(self.alerts())} alerts,"
            f" a gateway on {' and '.join(sorted(running)) or 'no node'};"
            f" worker {last.rss_mb:.1f} MB, {last.fds} fds, {last.threads} threads"
        )

    def look_home(self) -> bool:
        """Whether the preferred node serves, all is well, and no latch is set."""
        history, preferred = load_history(self.site), self.site.preferred
        is_well = history.level == "ok" and not history.latched
        return is_well and self.story.serves(preferred) and preferred in self.changes()[-1][1]

    def changes(self) -> list[tuple[float, Running]]:
        """The nodes with a gateway, from each change of them on, by the witness."""
        seen = self.story.witness.changes()
        return [(change["t"], frozenset(change["machines"])) for change in seen]

    def alerts(self) -> list[Alert]:
        """Every alert since the begin of the soak."""
        found = [entry for entry in read_journal(self.site) if entry["kind"] == "alert"]
        told = [Alert(seconds_of(one["time"]), one["level"], one["text"]) for one in found]
        return [alert for alert in told if alert.t >= int(self.begun_wall)]


def seconds_of(stamp: str) -> float:
    """An ISO date as seconds since 1970; one without a zone is UTC."""
    moment = datetime.fromisoformat(stamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
