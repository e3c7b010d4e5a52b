"""T440's Prefect: server, pools, deployments and the two workers, as units of its user. Pure.

T440's voter is no unit: sshd starts it for each node that asks, so it is there before the rest.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployments.provision.node_units import UNIT_MODE, systemctl
from deployments.provision.places import UNITS
from deployments.provision.steps import Facts, Order, Prefect, Step, is_so, run, write
from deployments.provision.units import SERVER

PREFECT_FILE = "~/.dualjoe/prefect/prefect.yaml"
DEPLOYED = "~/.dualjoe/prefect/deployed"
START_SECONDS = 90.0
WAIT = """\
import sys, time, urllib.request
end = time.monotonic() + float(sys.argv[2])
while True:
    try:
        urllib.request.urlopen(sys.argv[1] + "/health", timeout=5)
        break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(f"Prefect's server gives no answer: {error}")
        time.sleep(0.5)
"""


@dataclass(frozen=True)
class Deployment:
    """What T440's Prefect is to be.

    `units` by name; `pools` with their types; `names` of all deployments as flow/name; `document`
    is prefect.yaml with the site's intervals; `environment` is that of Prefect's command line;
    `code_mtime` is when the newest file of the project was written.
    """

    units: Mapping[str, str]
    pools: Mapping[str, str]
    names: frozenset[str]
    document: str
    api: str
    python: str
    project: str
    environment: Mapping[str, str]
    code_mtime: float

    @property
    def stamp(self) -> str:
        """What was deployed, in short: when it changes all is deployed again."""
        parts = (
            self.document,
            *(f"{name}={self.environment[name]}" for name in sorted(self.environment)),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def words(self, *words: str) -> tuple[str, ...]:
        """argv of `python -m words` in the project's folder with Prefect's settings."""
        given = (f"{name}={value}" for name, value in sorted(self.environment.items()))
        return ("/usr/bin/env", "-C", self.project, *given, self.python, "-m", *words)


def another_server(name: str, facts: Facts, prefect: Prefect, wanted: Deployment) -> Iterator[Step]:
    """A Prefect that is not ours holds the port: ours could not start. Theirs is left alone."""
    if prefect.answers and not facts.unit(SERVER).runs:
        yield Step(
            name,
            f"start Prefect's server: another one answers at {wanted.api}",
            remedy=f"stop the Prefect server on {name} that {SERVER} did not start",
        )


def watchdog_units(
    name: str, facts: Facts | None, prefect: Prefect, wanted: Deployment
) -> list[Step]:
    """What is left to do for T440's programs."""
    steps: list[Step] = []
    for unit, text in wanted.units.items():
        place = f"{UNITS}/{unit}"
        if not is_so(facts, place, text, UNIT_MODE):
            steps.append(Step(name, f"write {place}", write(facts, place, text, UNIT_MODE)))
    if facts is None or any(facts.unit(unit).reload for unit in wanted.units):
        steps.append(_step(name, facts, "have systemd read the units", "daemon-reload"))
    steps += start(name, facts, SERVER, wanted)
    if not prefect.answers:
        order = run(
            wanted.python, "-c", WAIT, wanted.api, f"{START_SECONDS:g}", seconds=START_SECONDS + 30
        )
        steps.append(Step(name, "wait until Prefect's server answers", order if facts else None))
    steps += deploy(name, facts, prefect, wanted)
    for unit in wanted.units:
        if unit != SERVER:
            steps += start(name, facts, unit, wanted)
    return steps


def start(name: str, facts: Facts | None, unit: str, wanted: Deployment) -> Iterator[Step]:
    """Start a program, or start it again when the project changed: it is safe at any time."""
    if facts is None or facts.unit(unit).enabled != "enabled" or not facts.unit(unit).runs:
        yield _step(name, facts, f"start {unit}, now and at each boot", "enable", "--now", unit)
        return
    found = facts.files[f"{UNITS}/{unit}"]
    written = found.mtime if found else 0.0
    if unit != SERVER:
        written = max(written, wanted.code_mtime)
    if 0.0 < facts.unit(unit).started < written:
        yield _step(name, facts, f"restart {unit}: it runs what was there before", "restart", unit)


def deploy(name: str, facts: Facts | None, prefect: Prefect, wanted: Deployment) -> Iterator[Step]:
    """Work pools, then every deployment; again when one is missing or the intervals changed."""
    if any(prefect.pools.get(pool) != kind for pool, kind in wanted.pools.items()):
        making = run(*wanted.words("deployments.pools"), seconds=120)
        said = f"make Prefect's work pools {', '.join(wanted.pools)}"
        yield Step(name, said, making if facts and prefect.answers else None)
    if not is_so(facts, PREFECT_FILE, wanted.document):
        order_file = write(facts, PREFECT_FILE, wanted.document)
        yield Step(name, f"write {PREFECT_FILE}, with the site's intervals", order_file)
    missing = wanted.names - prefect.deployments
    if facts is None or missing or facts.text(DEPLOYED).strip() != wanted.stamp:
        order: Order | None = None
        if facts is not None and prefect.answers:
            file, stamp = (facts.home + path[1:] for path in (PREFECT_FILE, DEPLOYED))
            words = ("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file)
            noted = f"printf %s {wanted.stamp} >{shlex.quote(stamp)}"
            script = f"{shlex.join(wanted.words(*words))} && {noted}"
            order = run("sh", "-c", script, seconds=300)
        yield Step(name, f"deploy {len(wanted.names)} flows to Prefect", order)


def _step(name: str, facts: Facts | None, said: str, *words: str) -> Step:
    return Step(name, said, None if facts is None else systemctl(*words))
