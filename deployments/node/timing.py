"""The numbers of the term protocol, and the inequalities that make them safe together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All times of the term protocol, in seconds, with their names in the inequalities in brackets.

    The defaults come from simulated takeovers and needless stops: a term of 15 s would save 5 s of
    each takeover but stop a healthy gateway at a network pause of 10 s; one of 12 s or less stops
    it when its node stands still for 5 s. `margin` is computed, never set.
    """

    term: float = 20.0
    """[L] How long one grant lasts, from the moment at which the holder asked."""
    clock_slack: float = 1.0
    """[C] How much longer than a term the vote behind it is lent, so that drift cannot matter."""
    ask: float = 1.0
    """A guard asks both voters once in this time."""
    tick: float = 0.5
    """[g] A guard looks at its terms, and the fuse at its deadline, once in this time.

    After a resume from suspend a gateway may poll for this long, the one overlap that is left.
    """
    kill_budget: float = 5.0
    """[K] From SIGTERM to SIGKILL, when the term leaves that much."""
    guard_watchdog: float = 6.0
    """[w] systemd kills a guard that has said nothing for this long (WatchdogSec).

    More than the longest freeze, since systemd may look before the guard that has just thawed.
    """
    fuse_lead: float = 1.0
    """The fuse kills this long before the latest term ends."""
    silence: float = 14.0
    """[H] A holder not heard serving for this long is taken for gone.

    Less would gain nothing: the votes lent to it run as long as this, a probe and an ask anyway.
    """
    probe: float = 3.0
    """[p] Deadline of one observation."""
    gateway_start: float = 6.0
    """[S] From the start of a gateway to its first answer."""
    drain_memory: float = 15.0
    """A node stays drained while an answer of the last so many seconds said so.

    Longer than the 10 s for which T440 wishes it at a time, so that one lost answer ends nothing.
    """
    longest_freeze: float = 5.0
    """A node may stand still for this long without losing its guard."""
    longest_pause: float = 10.0
    """The network may stand still for this long without a stop of a healthy gateway."""
    drift: float = 0.001
    """The greatest difference in rate between two of the clocks: twice what NTP may slew by."""
    check: float = 30.0
    """T440 looks at both nodes once in this time."""
    check_jitter: float = 1.0
    """How much later than planned a check may begin."""
    takeover: float = 45.0
    """The promise: with a node lost, the other serves after this long at the latest."""

    @property
    def margin(self) -> float:
        """[M] = max(2g + K + 1, w + 1): serving ends this long before the term does.

        2g + K + 1: a tick to notice, K for a clean stop, and a tick and a second for SIGKILL to
        work. w + 1: a guard that hangs is killed w after it last gave a sign, and its gateway with
        it, even when the fuse hangs too.
        """
        return max(2 * self.tick + self.kill_budget + 1.0, self.guard_watchdog + 1.0)

    @property
    def lent(self) -> float:
        """[L + C] How long a vote is lent at each grant, and withheld after a boot."""
        return self.term + self.clock_slack

    @property
    def last_call(self) -> float:
        """g + 1: with less than this left of the last term there is only SIGKILL."""
        return self.tick + 1.0


def broken_inequalities(timing: Timing) -> Iterator[str]:
    """Yield one sentence with both numbers for each rule between them that does not hold."""
    t = timing
    serve = t.term - t.margin
    check_path = max(t.check + t.check_jitter + t.probe + t.ask, t.lent)
    event_path = max(t.silence + 1 + t.probe + t.ask, t.lent)
    start = t.ask + t.tick + t.gateway_start
    rules = (
        ("the term less its margin, L - M", serve, "two asks and a probe", 2 * t.ask + t.probe),
        (
            "the term less its margin, L - M",
            serve,
            "a network pause, an ask and 1 s",
            t.longest_pause + t.ask + 1,
        ),
        ("the clock slack C", t.clock_slack, "twice the drift in a term", 2 * t.drift * t.term),
        ("the clock slack C", t.clock_slack, "1 s", 1.0),
        (
            "the time a vote is lent, L + C",
            t.lent,
            "silence, a probe, an ask and 1 s",
            t.silence + 1 + t.probe + t.ask,
        ),
        ("the promised takeover", t.takeover, "a takeover found by a check", check_path + start),
        ("the promised takeover", t.takeover, "a takeover found by silence", event_path + start),
    )
    for name, value, other, least in rules:
        if value < least:
            yield f"{name} = {value:g} s must be at least {other} = {least:g} s"
    if not t.guard_watchdog > t.tick + t.longest_freeze:
        yield (
            f"the guard's watchdog w = {t.guard_watchdog:g} s must be more than a tick and the "
            f"longest freeze = {t.tick + t.longest_freeze:g} s"
        )
