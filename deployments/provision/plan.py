"""What is still to be done on the three machines, in order, by what was seen on them. Pure.

Nothing is remembered between two runs: a step is in the plan for as long as a look does not find
it done. So a run that was interrupted goes on where it was, and a second one has nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployments.provision import documents, doors
from deployments.provision.first_record import first_record, is_running
from deployments.provision.node_units import LOADED, needs, node_units
from deployments.provision.places import AUTHORIZED_KEYS, GUARD, UNITS, machines, places
from deployments.provision.steps import Facts, Order, Program, Seen, Step, is_so, write
from deployments.provision.watchdog_units import (
    DEPLOYED,
    PREFECT_FILE,
    Deployment,
    another_server,
    watchdog_units,
)
from tasks.core.site import Site

NODE_PROGRAMS = ("ssh", "ssh-keygen", "rsync", "rrsync", "timeout")
OLDEST_PYTHON = (3, 9)


@dataclass(frozen=True)
class Wanted:
    """What is put on the machines.

    `node_units` by path below the folder of user units; None leaves systemd alone on all machines,
    and what runs there is started by something else. `deployment` is T440's Prefect, None with it.
    """

    joe: Program
    node_units: Mapping[str, str] | None
    deployment: Deployment | None


def plan(site: Site, wanted: Wanted, seen: Seen) -> list[Step]:
    """Every step that is left. Raises ConfigError for what a person wrote and nobody can read."""
    names = machines(site)
    steps = list(pins(site, seen))
    for name in names:
        steps += ground(site, wanted, seen, name)
    for name in names:
        steps += configuration(site, wanted, seen, name)
    steps += first_record(site, seen)
    if wanted.node_units is not None:
        for name, facts in seen.facts.items():  # before Joe is disturbed
            steps += needs(name, facts, openclaw=name in site.nodes)
            if name == site.watchdog.name and wanted.deployment is not None:
                steps += another_server(name, facts, seen.prefect, wanted.deployment)
    return [*steps, *programs(site, wanted, seen)]


def programs(site: Site, wanted: Wanted, seen: Seen) -> list[Step]:
    """What runs on the machines. An update begins on T440, which knows how older nodes talk; at
    first T440 comes last: it would tell of guards that do not run yet.
    """
    nodes, watchdog = list[Step](), list[Step]()
    if wanted.node_units is not None:
        for name in by_disturbance(site, seen):
            nodes += node_units(site, seen.facts, name, wanted.node_units, wanted.joe)
    if wanted.deployment is not None:
        facts = seen.facts.get(site.watchdog.name)
        watchdog = watchdog_units(site.watchdog.name, facts, seen.prefect, wanted.deployment)
        if facts is not None and all(facts.unit(one).runs for one in wanted.deployment.units):
            return watchdog + nodes
    return nodes + watchdog


def pins(site: Site, seen: Seen) -> Iterator[Step]:
    """Each host key, once a person has compared its fingerprint."""
    watchdog = site.watchdog.name
    path, facts = places(site, watchdog).known_hosts, seen.facts.get(watchdog)
    text = facts.text(path) if facts else ""
    for name in machines(site):
        if documents.pinned(site, name, text):
            continue
        host, port = documents.address(site, name)
        if name not in seen.host_keys:
            yield Step(
                watchdog,
                f"read the host key of {name} at {host}, port {port}: no ed25519 key was offered",
                remedy=f"switch {name} on and see that its sshd answers there",
            )
            continue
        key = seen.host_keys[name]
        mark = documents.fingerprint(key)
        yield Step(
            watchdog,
            f"pin the host key of {name} ({host}, port {port}): {mark}",
            write(facts, path, documents.pin(site, name, key, text)),
            question=f"does {name} itself say {mark}? Look there, not over the network:"
            " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        )


def ground(site: Site, wanted: Wanted, seen: Seen, name: str) -> Iterator[Step]:
    """Programs, keys and joe.pyz of one machine."""
    facts, where = seen.facts.get(name), places(site, name)
    if facts is not None:
        yield from obstacles(site, name, facts)
    for purpose in doors.purposes(site, name):
        path = where.keys[purpose]
        if facts is None or not (facts.files[path] and facts.files[f"{path}.pub"]):
            said = doors.comment(site, name, purpose)
            making: Order = {"do": "key", "path": path, "comment": said}
            yield Step(name, f"make the key {path} ({purpose})", making if facts else None)
    found = facts.files[where.joe] if facts else None
    guarded = facts is not None and facts.unit(GUARD).runs  # then with its restart
    if not guarded and (found is None or found.sha256 != wanted.joe.sha256):
        order = write(facts, where.joe, wanted.joe.text, 0o755)
        yield Step(name, f"put {where.joe} in place", order)


def obstacles(site: Site, name: str, facts: Facts) -> Iterator[Step]:
    """What only a person can change."""
    if facts.python < OLDEST_PYTHON:
        version = ".".join(map(str, facts.python))
        yield Step(
            name,
            f"run joe.pyz with python3 {version}",
            remedy="it needs /usr/bin/python3 3.9 or newer",
        )
    if facts.missing:
        yield Step(
            name,
            f"use {', '.join(facts.missing)}: not installed",
            remedy=f"as root on {name}: apt-get install openssh-client rsync coreutils",
        )
    user = site.watchdog.user
    if name == site.watchdog.name and user and facts.user != user:
        yield Step(name, f"work as {user}, not as {facts.user}", remedy=f"run this as {user}")


def configuration(site: Site, wanted: Wanted, seen: Seen, name: str) -> Iterator[Step]:
    """known_hosts, node.json and authorized_keys of one machine."""
    facts, where = seen.facts.get(name), places(site, name)
    if name in site.nodes:
        watchdog = seen.facts.get(site.watchdog.name)
        pinned = watchdog.text(places(site, site.watchdog.name).known_hosts) if watchdog else ""
        hosts = documents.known_hosts(site, pinned)
        if not is_so(facts, where.known_hosts, hosts):
            order = write(facts, where.known_hosts, hosts)
            yield Step(name, f"write the pinned host keys to {where.known_hosts}", order)
    systemd = wanted.node_units is not None
    text = documents.node_json(site, name, seen.facts, systemd=systemd)
    if not is_so(facts, where.node_file, text):
        yield Step(name, f"write {where.node_file}", write(facts, where.node_file, text))
    yield from authorized_keys(site, seen, name)


def authorized_keys(site: Site, seen: Seen, name: str) -> Iterator[Step]:
    """The doors of one machine."""
    facts, text = seen.facts.get(name), None
    if facts is not None:
        lines = doors.door_lines(
            site, name, places(site, name).at(facts.home), public_keys(site, seen)
        )
        found = facts.files[AUTHORIZED_KEYS]
        text = None if lines is None else doors.edit(facts.text(AUTHORIZED_KEYS), site.site, lines)
        if found and text == found.text and not found.mode & 0o022:
            return
    verbs = (
        "export and answer to the nodes"
        if name == site.watchdog.name
        else (f"export and answer to {site.other(name)} and rpc to {site.watchdog.name}")
    )
    yield Step(name, f"open {verbs} in {AUTHORIZED_KEYS}", write(facts, AUTHORIZED_KEYS, text))


def public_keys(site: Site, seen: Seen) -> dict[tuple[str, str], str]:
    """The public halves that are there. Raises ConfigError for what is none."""
    found = {}
    for name, facts in seen.facts.items():
        for purpose in doors.purposes(site, name):
            text = facts.text(f"{places(site, name).keys[purpose]}.pub")
            if text:
                found[name, purpose] = doors.parse_public(text)
    return found


def by_disturbance(site: Site, seen: Seen) -> list[str]:
    """The nodes, one without a gateway first: it then stands by and votes for the other."""
    return sorted(site.nodes, key=lambda name: name in seen.facts and is_running(seen.facts[name]))


def look_order(site: Site, wanted: Wanted, name: str) -> Order:
    """What to look at on a machine, for all of the above."""
    where, is_node = places(site, name), name in site.nodes
    keys = [where.keys[purpose] for purpose in doors.purposes(site, name)]
    read = [where.known_hosts, where.node_file, AUTHORIZED_KEYS, *(f"{key}.pub" for key in keys)]
    files, units = list[str](), list[str]()
    if is_node and wanted.node_units is not None:
        files, units = list(wanted.node_units), list(LOADED)
    elif not is_node and wanted.deployment is not None:
        files = units = list(wanted.deployment.units)
        read += [PREFECT_FILE, DEPLOYED]
    return {
        "do": "look",
        "read": [*read, *(f"{UNITS}/{file}" for file in files)],
        "hash": [where.joe],
        "stat": keys,
        "programs": NODE_PROGRAMS,
        "units": units,
        "node_file": where.node_file,
        "state": where.state,
        "port": site.nodes[name].gateway_port if is_node else 0,
    }


def notes(site: Site, seen: Seen) -> list[str]:
    """What is not for provisioning to do, and still missing."""
    watchdog = site.watchdog.name
    facts, path = seen.facts.get(watchdog), places(site, watchdog).node_file
    if facts is None or not facts.text(path):
        return []
    lost = documents.sources_without_a_folder(site, facts.text(path))
    said = f"say where {', '.join(lost)} are, or they are not backed up: `sources` in {path}"
    return [f"{watchdog}: {said}"] if lost else []
