"""`--remove`: what provisioning put on the machines goes, and never two Joes. Pure.

T440 stops deciding first, then the node without a gateway, then the other one, whose gateway is
started by OpenClaw's own unit again. Records, journal, stores, memory and Prefect's database stay,
and so does a node.json in which a person wrote something.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from deployments.provision import documents, doors
from deployments.provision.node_units import restart_question, systemctl
from deployments.provision.places import (
    AUTHORIZED_KEYS,
    DROP_IN,
    FUSE,
    GATEWAY,
    GUARD,
    UNITS,
    places,
)
from deployments.provision.plan import Wanted, by_disturbance
from deployments.provision.steps import Facts, Order, Seen, Step, write
from deployments.provision.watchdog_units import DEPLOYED, PREFECT_FILE
from tasks.core.site import Site

# What `documents.node_json` writes; any other field is a person's.
WRITTEN = frozenset(
    ("name", "home", "state", "run", "nodes", "supervisor", "times", "peers", "trigger", "alarm")
) | {"gateway_port", "restart_grace_seconds"}


def removal(site: Site, wanted: Wanted, seen: Seen) -> list[Step]:
    """Every step that is left until nothing of ours is there."""
    watchdog = site.watchdog.name
    facts = seen.facts.get(watchdog)
    if facts is None:
        return []
    units = () if wanted.deployment is None else tuple(wanted.deployment.units)
    steps = [step for unit in reversed(units) for step in end(watchdog, facts, unit)]
    for name in by_disturbance(site, seen):
        if name in seen.facts:
            steps += node(site, wanted, seen, name)
        elif facts.files[str(site.watchdog.key)]:
            steps.append(
                Step(
                    watchdog,
                    f"take it away from {name}: its host key is not pinned here",
                    remedy=f"provision once more, or remove what is ours on {name} by hand",
                )
            )
    steps += files(watchdog, facts, "unit files", [f"{UNITS}/{unit}" for unit in units])
    steps += reload(watchdog, facts, units)
    steps += files(watchdog, facts, "deployments", [PREFECT_FILE, DEPLOYED])
    steps += ground(site, watchdog, facts)
    path = places(site, watchdog).known_hosts
    if documents.unpin(site, facts.text(path)) != facts.text(path):
        steps.append(replace(watchdog, facts, path, documents.unpin(site, facts.text(path))))
    return steps


def node(site: Site, wanted: Wanted, seen: Seen, name: str) -> Iterator[Step]:
    """One node. Its own unit starts the gateway again while the guard's file still says ours."""
    facts = seen.facts[name]
    if wanted.node_units is not None and facts.units is not None:
        for unit in (GUARD, FUSE):
            question = restart_question(site, name) if unit == GUARD else ""
            yield from end(name, facts, unit, question)
        folder = f"{UNITS}/{DROP_IN}".rpartition("/")[0]
        yield from files(name, facts, "drop-in", [f"{UNITS}/{DROP_IN}"], [folder])
        yield from reload(name, facts, (GATEWAY,))
        gateway, is_ours = facts.unit(GATEWAY), facts.files[f"{UNITS}/{GUARD}"] is not None
        if is_ours and holder(seen) == name and not (gateway.runs and gateway.enabled == "enabled"):
            said = "start the gateway, now and at each boot, as before"
            yield Step(name, said, systemctl("enable", "--now", GATEWAY, seconds=60))
        yield from files(name, facts, "unit files", [f"{UNITS}/{unit}" for unit in (GUARD, FUSE)])
        yield from reload(name, facts, (GUARD, FUSE))
    yield from ground(site, name, facts)


def holder(seen: Seen) -> str:
    """Who serves, by the highest record on any machine; "" when there is none."""
    found = [(0, "")]
    for facts in seen.facts.values():
        try:
            raw = json.loads(facts.record or "{}")
            found.append((int(raw["epoch"]), str(raw["holder"])))
        except (ValueError, KeyError, TypeError):
            continue
    return max(found)[1]


def end(name: str, facts: Facts, unit: str, question: str = "") -> Iterator[Step]:
    """Stop a unit for good. `question`: a gateway that runs ends with it, so it is asked first."""
    found = facts.unit(unit)
    if found.runs or found.enabled == "enabled":
        disturbs = bool(question) and facts.unit(GATEWAY).runs
        order = systemctl("disable", "--now", unit, seconds=90)
        said = f"stop {unit}, and do not start it at a boot"
        yield Step(name, said, order, question if disturbs else "", drains=disturbs)


def reload(name: str, facts: Facts, units: tuple[str, ...]) -> Iterator[Step]:
    """systemd forgets what was removed. A unit whose file is gone is still loaded while it asks."""
    if facts.units is not None and any(facts.unit(unit).reload for unit in units):
        yield Step(name, f"have systemd forget {', '.join(units)}", systemctl("daemon-reload"))


def ground(site: Site, name: str, facts: Facts) -> Iterator[Step]:
    """Doors, program, settings and keys of one machine."""
    text = doors.edit(facts.text(AUTHORIZED_KEYS), site.site, ())
    if text != facts.text(AUTHORIZED_KEYS):
        yield replace(name, facts, AUTHORIZED_KEYS, text)
    where = places(site, name)
    gone = [where.joe, *(f"{key}{end}" for key in where.keys.values() for end in ("", ".pub"))]
    if name in site.nodes:
        gone.append(where.known_hosts)
    raw = documents.read_node_json(facts.text(where.node_file), where.node_file)
    if raw.keys() <= WRITTEN:
        gone.append(where.node_file)
    folders = [path.rpartition("/")[0] for path in where.keys.values()]
    yield from files(name, facts, "keys, program and settings", gone, folders)


def files(
    name: str, facts: Facts, what: str, paths: list[str], folders: list[str] | None = None
) -> Iterator[Step]:
    """Remove those of the files that are there."""
    found = [path for path in paths if facts.files.get(path)]
    if found:
        order: Order = {"do": "remove", "files": found, "folders": folders or []}
        yield Step(name, f"remove {what}: {', '.join(found)}", order)


def replace(name: str, facts: Facts, path: str, text: str) -> Step:
    """Take our lines out of a file; what would be empty goes."""
    found = facts.files[path]
    order = write(facts, path, text, found.mode if found else 0o600)
    if not text:
        order = {"do": "remove", "files": [path], "folders": []}
    return Step(name, f"take our lines out of {path}", order)
