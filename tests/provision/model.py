"""Three machines as provisioning sees them, and what each of its orders does to them.

Of systemd only as much as the plan relies on: enabling, starting, a stop of the guard that stops
the gateway (BindsTo=), a started guard that kills what it finds, and units that need a reload.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from deployments.provision.places import DROP_IN, GATEWAY, GUARD, UNITS, machines
from deployments.provision.plan import Wanted, look_order, plan
from deployments.provision.removal import removal
from deployments.provision.steps import Facts, File, Prefect, Seen, Step, Unit
from deployments.provision.units import SERVER
from deployments.provision.watchdog_units import DEPLOYED, Deployment
from tests.provision.sites import SITE, make_wanted

INSTALLED = Unit("loaded", "inactive", "enabled", False, 0.0)
RUNNING = Unit("loaded", "active", "enabled", False, 5.0)
NO_UNIT = Unit("not-found", "inactive", "", False, 0.0)


def host_key(machine: str) -> str:
    return f"ssh-ed25519 QUFB{machine.encode().hex().upper().zfill(12)}"


def at(made: list[str], words: str) -> int:
    """Where the one step with these words is."""
    (found,) = [number for number, sentence in enumerate(made) if words in sentence]
    return found


class Model:
    """Three machines; `gateways` are those of the nodes at the beginning.

    `killed` are gateways that a starting guard found, `questions` what a person was asked.
    """

    def __init__(self, wanted: Wanted | None = None, **gateways: Unit) -> None:
        self.wanted = wanted or make_wanted()
        self.now = 10.0
        self.facts: dict[str, Facts] = {}
        self.prefect = Prefect()
        self.foreign_prefect = False
        self.killed: list[str] = []
        self.questions: list[str] = []
        for name in machines(SITE):
            order = look_order(SITE, self.wanted, name)
            units = {one: NO_UNIT for one in order["units"]}
            user = SITE.nodes[name].user if name in SITE.nodes else "w"
            if name in SITE.nodes:
                units[GATEWAY] = gateways.get(name.replace("-", "_"), INSTALLED)
            files: dict[str, File | None] = {
                path: None for how in ("read", "hash", "stat") for path in order[how]
            }
            runs, home = units.get(GATEWAY, NO_UNIT).runs, f"/home/{user}"
            self.facts[name] = Facts(user, 1000, home, (3, 11), files, (), True, units, "", runs)

    def change(self, machine: str, **changes: Any) -> None:
        self.facts[machine] = dataclasses.replace(self.facts[machine], **changes)

    def seen(self) -> Seen:
        """What a look shows: a node only once its host key is pinned."""
        known = self.facts["t440"].text(str(SITE.watchdog.known_hosts))
        shown = {
            n: f for n, f in self.facts.items() if n == "t440" or SITE.nodes[n].address in known
        }
        answers = self.facts["t440"].unit(SERVER).runs or self.foreign_prefect
        prefect = self.prefect if answers and self.prefect.answers else Prefect()
        return Seen(shown, {name: host_key(name) for name in self.facts}, prefect)

    def steps(self, *, remove: bool = False) -> list[Step]:
        return (removal if remove else plan)(SITE, self.wanted, self.seen())

    def steps_when_pinned(self) -> list[Step]:
        """The plan once every host key is pinned."""
        while "pin the host key" in (steps := self.steps())[0].sentence:
            self.make(steps[0])
        return steps

    def settle(self, *, remove: bool = False, limit: int = 200) -> list[str]:
        """Make every step, each found done afterwards; returns their sentences."""
        made = list[str]()
        while steps := self.steps(remove=remove):
            step = steps[0]
            assert step.order is not None, f"cannot go on: {step} ({step.remedy})"
            self.make(step)
            made.append(str(step))
            left = [str(one) for one in self.steps(remove=remove)]
            assert str(step) not in left, f"not found done: {step}"
            assert len(made) < limit, made[-5:]
        return made

    def make(self, step: Step) -> None:
        """What the order of a step does."""
        assert step.order is not None
        self.now += 1
        if step.question:
            self.questions.append(step.machine + ": " + step.question)
        before = self.running()
        getattr(self, f"_{step.order['do']}")(step.machine, step.order)
        assert len(self.running()) < 2 or self.running() == before, f"two Joes after: {step}"

    def running(self) -> list[str]:
        """The nodes that run a gateway."""
        return [name for name in SITE.nodes if self.facts[name].unit(GATEWAY).runs]

    def _all(self, machine: str, order: Any) -> None:
        for one in order["orders"]:
            getattr(self, f"_{one['do']}")(machine, one)

    def _put(self, machine: str, path: str, file: File | None) -> None:
        facts = self.facts[machine]
        assert path in facts.files, f"{path} was never looked at"
        self.change(machine, files={**facts.files, path: file})
        if path.startswith(UNITS):
            unit = GATEWAY if path.endswith(DROP_IN) else path.rpartition("/")[2]
            found = self.facts[machine].unit(unit)
            load = "loaded" if found.load == "not-found" and file else found.load
            stale = found.load == "loaded"
            self._unit(machine, unit, load=load, reload=stale)

    def _unit(self, machine: str, unit: str, **changes: Any) -> None:
        facts = self.facts[machine]
        units = {**(facts.units or {}), unit: dataclasses.replace(facts.unit(unit), **changes)}
        self.change(machine, units=units)

    def _write(self, machine: str, order: Any) -> None:
        found = self.facts[machine].files[order["path"]]
        assert order["was"] == (found.sha256 if found else None)
        sha256 = hashlib.sha256(order["text"].encode("utf-8", "surrogateescape")).hexdigest()
        file = File(sha256, order["mode"], self.now, order["text"])
        self._put(machine, order["path"], file)

    def _key(self, machine: str, order: Any) -> None:
        path = order["path"]
        self._put(machine, path, File("", 0o600, self.now))
        purpose = path.rpartition("/")[2]
        text = f"ssh-ed25519 AAAA{(machine + purpose).encode().hex()} {order['comment']}\n"
        self._put(machine, f"{path}.pub", File("", 0o644, self.now, text))

    def _remove(self, machine: str, order: Any) -> None:
        for path in order["files"]:
            self._put(machine, path, None)

    def _run(self, machine: str, order: Any) -> None:
        argv, words = order["argv"], " ".join(order["argv"])
        if argv[0] == "systemctl":
            self._systemctl(machine, *argv[3:])
        elif argv[:2] == ["sh", "-c"] and words.endswith(f" stop {GATEWAY}"):
            self._stop(machine, GATEWAY)
        elif "record write" in words:
            given = json.loads(order["input"])
            self.change(machine, record=json.dumps(given))
        elif words.endswith("deployments.pools"):
            self.prefect = dataclasses.replace(self.prefect, pools=self._deployment.pools)
        elif "prefect --no-prompt deploy" in words:
            names = self._deployment.names
            self.prefect = dataclasses.replace(self.prefect, deployments=names)
            self._put(machine, DEPLOYED, File("", 0o644, self.now, self._deployment.stamp))
        elif "urllib" in words:
            self.prefect = dataclasses.replace(self.prefect, answers=True)
        else:
            raise AssertionError(f"the model does not know {words}")

    @property
    def _deployment(self) -> Deployment:
        assert self.wanted.deployment is not None
        return self.wanted.deployment

    def _systemctl(self, machine: str, verb: str, *words: str) -> None:
        facts, unit = self.facts[machine], words[-1] if words else ""
        if verb == "daemon-reload":
            for name in facts.units or {}:
                there = name == GATEWAY or facts.files[f"{UNITS}/{name}"] is not None
                self._unit(machine, name, reload=False, load="loaded" if there else "not-found")
            return
        assert verb in ("enable", "disable", "restart"), verb
        if verb != "restart":
            self._unit(machine, unit, enabled=f"{verb}d")
        if verb == "restart" or (verb == "disable" and "--now" in words):
            self._stop(machine, unit)
        if verb == "restart" or (verb == "enable" and "--now" in words):
            self._start(machine, unit)

    def _stop(self, machine: str, unit: str) -> None:
        self._unit(machine, unit, active="inactive", started=0.0)
        has_drop_in = self.facts[machine].files.get(f"{UNITS}/{DROP_IN}") is not None
        if unit == GUARD and has_drop_in:
            self._stop(machine, GATEWAY)
        self.change(machine, gateway_open=self.facts[machine].unit(GATEWAY).runs)

    def _start(self, machine: str, unit: str) -> None:
        assert not self.facts[machine].unit(unit).reload, f"{unit} is started without a reload"
        if unit == GUARD and self.facts[machine].unit(GATEWAY).runs:
            self.killed.append(machine)
        self._unit(machine, unit, active="active", started=self.now)
        if unit == GUARD and json.loads(self.facts["t440"].record)["holder"] == machine:
            self._start(machine, GATEWAY)
        self.change(machine, gateway_open=self.facts[machine].unit(GATEWAY).runs)
