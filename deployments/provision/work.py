"""Look, plan, carry out the first step, look again: until nothing is left or one step fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

from deployments.provision.documents import address, pinned
from deployments.provision.drain import drained
from deployments.provision.hands import Hands, scan
from deployments.provision.places import machines, places
from deployments.provision.steps import Facts, Order, Prefect, Seen, Step
from tasks.core.errors import DualJoeError, Refused
from tasks.core.site import Site

Plan = Callable[[Seen], Sequence[Step]]
LookOrder = Callable[[str], Order]
Say = Callable[[str], object]
Agree = Callable[[str], bool]


class Stopped(DualJoeError):
    """A step could not be made; `remedy` says what a person can do, then it goes on there."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.remedy = remedy


class Eyes:
    """Everything that was seen; a look at one machine leaves the others as they were seen last."""

    def __init__(
        self,
        site: Site,
        hands: Hands,
        look_order: LookOrder,
        look_at_prefect: Callable[[], Prefect],
    ) -> None:
        self.site, self.hands, self.look_order = site, hands, look_order
        self.look_at_prefect = look_at_prefect
        self.facts: dict[str, Facts] = {}
        self.host_keys: dict[str, str] = {}
        self.prefect = Prefect()

    def look(self, machine: str = "") -> Seen:
        """Look at one machine, or at all; and at what can be looked at only since then.

        A node is looked at once its host key is pinned; before that only its host key is read.
        Raises RemoteError.
        """
        watchdog = self.site.watchdog.name
        if machine in ("", watchdog):
            self.facts[watchdog] = self.facts_of(watchdog)
            self.prefect = self.look_at_prefect()
        text = self.facts[watchdog].text(places(self.site, watchdog).known_hosts)
        for name in machines(self.site):
            if not pinned(self.site, name, text):
                self.host_keys[name] = self.host_keys.get(name) or scan(*address(self.site, name))
            elif name != watchdog and (machine in ("", name) or name not in self.facts):
                self.facts[name] = self.facts_of(name)
        keys = {name: key for name, key in self.host_keys.items() if key}
        return Seen(dict(self.facts), keys, self.prefect)

    def facts_of(self, machine: str) -> Facts:
        return Facts.parse(self.hands.do(machine, self.look_order(machine)))


def carry_out(eyes: Eyes, plan: Plan, say: Say, agree: Agree) -> int:
    """Make every step of the plan; returns how many were made.

    Raises Stopped at the first that cannot be made, or is not found done by the look after it,
    Refused when a person does not agree to one, and RemoteError when a look fails.
    """
    made, seen = 0, eyes.look()
    while steps := plan(seen):
        step = steps[0]
        if step.order is None:
            remedies = dict.fromkeys(one.remedy for one in steps if one.remedy)
            raise Stopped(f"cannot go on: {step}", "\n        ".join(remedies))
        say(str(step))
        if step.question and not agree(step.question):
            raise Refused(f"not agreed to: {step}")
        try:
            with drained(eyes.site, eyes.hands, step.machine) if step.drains else nullcontext():
                eyes.hands.do(step.machine, step.order)
        except DualJoeError as error:
            raise Stopped(f"{step}: {error}") from error
        made += 1
        seen = eyes.look(step.machine)
        if any(str(left) == str(step) for left in plan(seen)):
            raise Stopped(f"{step}: was made, but a look does not find it so")
    return made


def show(steps: Sequence[Step], say: Say) -> None:
    """Print a plan, a line a step, with what a person must do or will be asked."""
    for number, step in enumerate(steps, 1):
        say(f"{number:3}. {step}")
        if step.question:
            say(f"     asks first: {step.question}")
        if step.remedy:
            say(f"     not possible yet: {step.remedy}")
