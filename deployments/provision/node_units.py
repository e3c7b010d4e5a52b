"""Guard, fuse and drop-in of a node as systemd user units. Pure.

A guard that starts kills every gateway that it finds. So a gateway that runs without one is first
stopped by its own unit, which lets its work end; and a guard that is up to date is left alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from deployments.provision.documents import address
from deployments.provision.places import (
    FUSE,
    GATEWAY,
    GUARD,
    UNITS,
    Places,
    machines,
    places,
)
from deployments.provision.steps import Facts, Order, Program, Step, is_so, run, write
from tasks.core.site import Site

UNIT_MODE = 0o644
# OpenClaw's own unit lets a running agent finish for 330 s.
DRAIN_SECONDS = 345.0
LOADED = (GUARD, FUSE, GATEWAY)


def systemctl(*words: str, seconds: float = 30.0) -> Order:
    """The order that tells the user's systemd something."""
    return run("systemctl", "--user", "--no-ask-password", *words, seconds=seconds)


def needs(name: str, facts: Facts, *, openclaw: bool) -> Iterator[Step]:
    """What must be there before any unit: a systemd of the user that outlives the login.

    `openclaw`: and OpenClaw's own unit; its first install does not bear our drop-in.
    """
    if not facts.linger:
        yield Step(
            name,
            f"run units of {facts.user} without a login: it has no linger",
            remedy=f"as root on {name}, once: loginctl enable-linger {facts.user}",
        )
    elif facts.units is None:
        yield Step(
            name,
            f"ask the systemd of {facts.user}: it gives no answer",
            remedy=f"as root on {name}: systemctl start user@{facts.uid}.service",
        )
    elif openclaw and facts.unit(GATEWAY).load == "not-found":
        yield Step(
            name,
            f"put a drop-in beside {GATEWAY}: OpenClaw has not installed that unit",
            remedy=f"on {name}, as {facts.user}: openclaw gateway install",
        )


def node_units(
    site: Site, everybody: Mapping[str, Facts], name: str, units: Mapping[str, str], joe: Program
) -> list[Step]:
    """What is left to do for the units of one node."""
    facts = everybody.get(name)
    steps: list[Step] = []
    if facts is not None:
        steps += stop(site, everybody, name, facts)
        steps += update(site, name, facts, joe)
    for path, text in units.items():
        place = f"{UNITS}/{path}"
        if not is_so(facts, place, text, UNIT_MODE):
            steps.append(Step(name, f"write {place}", write(facts, place, text, UNIT_MODE)))
    if facts is None or any(facts.unit(one).reload for one in LOADED):
        order = None if facts is None else systemctl("daemon-reload")
        steps.append(Step(name, "have systemd read the units", order))
    if facts is not None and facts.unit(GATEWAY).enabled == "enabled":
        said = "let the guard start the gateway, not the boot"
        steps.append(Step(name, said, systemctl("disable", GATEWAY)))
    for unit in (FUSE, GUARD):
        if facts is None or facts.unit(unit).enabled != "enabled" or not facts.unit(unit).runs:
            order = None if facts is None else systemctl("enable", "--now", unit)
            steps.append(Step(name, f"start {unit}, now and at each boot", order))
        elif is_older(facts, unit, places(site, name)):
            steps.append(restart(site, name, facts, unit))
    return steps


def stop(site: Site, everybody: Mapping[str, Facts], name: str, facts: Facts) -> Iterator[Step]:
    """A gateway without a guard ends its work first, if the node can get a vote afterwards."""
    if facts.unit(GUARD).runs:
        return
    if facts.unit(GATEWAY).runs:
        asks = [ask(site, everybody, name, other) for other in machines(site) if other != name]
        ending = shlex.join(("systemctl", "--user", "--no-ask-password", "stop", GATEWAY))
        script = " && ".join([*asks, ending])
        yield Step(
            name,
            "stop its gateway, which may finish its work; its guard starts it again in a moment",
            run("sh", "-c", script, seconds=DRAIN_SECONDS + 30),
            question=f"Joe runs on {name} and is restarted once: he is away for some 20 s, after"
            f" up to {DRAIN_SECONDS:g} s for what he is doing. Now?",
        )
    elif facts.gateway_open:
        port = site.nodes[name].gateway_port
        yield Step(
            name,
            f"start a guard: something that is not {GATEWAY} listens on port {port}",
            remedy=f"end it on {name}: openclaw gateway stop --force, or where it was started",
        )


def ask(site: Site, everybody: Mapping[str, Facts], name: str, other: str) -> str:
    """A shell command that fails when the node could not ask the other machine for its vote."""
    where: Places = places(site, name).at(everybody[name].home)
    host, port = address(site, other)
    user = (site.nodes.get(other) or site.watchdog).user or everybody[other].user
    options = (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={where.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "ConnectTimeout=5",
    )
    flags = [word for option in options for word in ("-o", option)]
    ends = ("-i", where.keys["ask"], "-p", str(port), "-l", user, host)
    return f"{shlex.join(['ssh', '-F', 'none', '-T', *flags, *ends])} </dev/null"


def is_older(facts: Facts, unit: str, where: Places) -> bool:
    """Was it started before what it runs, or reads at its start, was last replaced?"""
    read = (where.joe, where.node_file, f"{UNITS}/{unit}")
    written = [found.mtime for found in map(facts.files.get, read) if found]
    return facts.unit(unit).started < max(written, default=0.0)


def restart(site: Site, name: str, facts: Facts, unit: str) -> Step:
    """A guard's end is the end of its gateway; a fuse's is not."""
    disturbs = unit == GUARD and facts.unit(GATEWAY).runs
    return Step(
        name,
        f"restart {unit}: it runs what was there before",
        systemctl("restart", unit),
        question=restart_question(site, name) if disturbs else "",
        drains=disturbs,
    )


def update(site: Site, name: str, facts: Facts, joe: Program) -> Iterator[Step]:
    """A new joe.pyz below a running guard, and at once the guard that runs it.

    Python reads modules that it has not needed yet from the file as it was: a guard must not go on
    above another one for longer than this takes.
    """
    path = places(site, name).joe
    found = facts.files[path]
    if not facts.unit(GUARD).runs or (found and found.sha256 == joe.sha256):
        return
    replaced = write(facts, path, joe.text, 0o755)
    orders = [replaced, systemctl("restart", FUSE), systemctl("restart", GUARD)]
    disturbs = facts.unit(GATEWAY).runs
    yield Step(
        name,
        f"replace {path} and restart {FUSE} and {GUARD}",
        {"do": "all", "orders": orders, "seconds": 90.0},
        question=restart_question(site, name) if disturbs else "",
        drains=disturbs,
    )


def restart_question(site: Site, name: str) -> str:
    """For a node on which Joe runs."""
    limit = site.times.drain_limit_seconds
    return (
        f"Joe runs on {name} and is restarted once with his guard: he is away for some 20 s, after"
        f" up to {limit:g} s for what he is doing. Now?"
    )
