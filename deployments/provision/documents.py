"""node.json and known_hosts, as the site file wants them. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from deployments.provision.places import Places, machines, places
from deployments.provision.steps import Facts
from deployments.settings import API
from tasks.core.errors import ConfigError
from tasks.core.site import Site

# field of the site file's times -> the same time in node.json
TIMES = {
    "term_seconds": "term",
    "clock_margin_seconds": "clock_slack",
    "ask_seconds": "ask",
    "guard_tick_seconds": "tick",
    "kill_budget_seconds": "kill_budget",
    "guard_watchdog_seconds": "guard_watchdog",
    "silence_seconds": "silence",
    "probe_seconds": "probe",
    "start_seconds": "gateway_start",
}


def address(site: Site, machine: str) -> tuple[str, int]:
    """Where the others reach a machine, and the port of its sshd."""
    one = site.nodes.get(machine) or site.watchdog
    return one.address, one.port


def host_name(site: Site, machine: str) -> str:
    """The name under which known_hosts has a machine."""
    host, port = address(site, machine)
    return host if port == 22 else f"[{host}]:{port}"


def pinned(site: Site, machine: str, text: str) -> str:
    """The host key that a known_hosts has for a machine, as `TYPE BASE64`; "" when none."""
    wanted = host_name(site, machine)
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and wanted in words[0].split(","):
            return f"{words[1]} {words[2]}"
    return ""


def pin(site: Site, machine: str, key: str, text: str) -> str:
    """known_hosts with one line more."""
    before = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{before}{host_name(site, machine)} {key}\n"


def unpin(site: Site, text: str) -> str:
    """known_hosts without the lines that `pin` wrote."""
    ours = {host_name(site, machine) for machine in machines(site)}
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    return "".join(line for line in lines if line.split(" ")[0] not in ours)


def known_hosts(site: Site, text: str) -> str | None:
    """A node's known_hosts: the pinned key of each machine; None while one is not pinned."""
    keys = {machine: pinned(site, machine, text) for machine in machines(site)}
    if not all(keys.values()):
        return None
    return "".join(f"{host_name(site, machine)} {key}\n" for machine, key in keys.items())


def fingerprint(key: str) -> str:
    """What `ssh-keygen -l` says of a key `TYPE BASE64`. Raises ConfigError for what is none."""
    try:
        blob = base64.b64decode(key.split()[1], validate=True)
    except (IndexError, ValueError):
        raise ConfigError(f"not a host key: {key[:80]!r}") from None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def node_json(site: Site, machine: str, facts: Mapping[str, Facts], *, systemd: bool) -> str | None:
    """node.json of one machine; None while a machine that it names was not looked at.

    What the site file says replaces what is there. Everything else that a person wrote stays:
    sources and their commands, patterns, another state folder. Raises ConfigError for a file there
    that is no JSON object.
    """
    own = facts.get(machine)
    others = [name for name in machines(site) if name != machine] if machine in site.nodes else []
    if own is None or any(name not in facts for name in others):
        return None
    where = places(site, machine).at(own.home)
    found = read_node_json(own.text(places(site, machine).node_file), where.node_file)
    is_node = machine in site.nodes
    document = {
        "home": own.home,
        "state": where.state,
        "run": f"/run/user/{own.uid}/dualjoe",
        **found,
        "name": machine,
        "nodes": list(site.nodes),
        "supervisor": ("systemd" if systemd else "process") if is_node else "none",
        "times": {**found.get("times", {}), **_times(site)},
        "peers": {name: _peer(site, where, name, facts[name]) for name in others},
    }
    if is_node:
        document["gateway_port"] = site.nodes[machine].gateway_port
        document["restart_grace_seconds"] = site.times.restart_grace_seconds
        if site.nodes[machine].alarm:
            document["alarm"] = list(site.nodes[machine].alarm)
    elif systemd:
        wake = f"{own.home}/.dualjoe/prefect/worker-watch.wake"
        named = {"api": API, "deployment": f"health-check/{site.site}", "wake": wake}
        document["trigger"] = {**(found.get("trigger") or {}), **named}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _times(site: Site) -> dict[str, float]:
    return {short: getattr(site.times, name) for name, short in TIMES.items()}


def read_node_json(text: str, where: str) -> dict[str, Any]:
    """The object in a node.json, {} for none. Raises ConfigError for what is no JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"{where} is not JSON ({error}): mend it or remove it") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{where} must hold one JSON object: mend it or remove it")
    return found


def _peer(site: Site, own: Places, other: str, facts: Facts) -> dict[str, Any]:
    host, port = address(site, other)
    return {
        "address": host,
        "port": port,
        "user": (site.nodes.get(other) or site.watchdog).user or facts.user,
        "key": own.keys["pull"],
        "known_hosts": own.known_hosts,
        "answer_key": own.keys["ask"],
    }


def sources_without_a_folder(site: Site, text: str) -> list[str]:
    """The containers of the site file that T440's node.json gives no folder."""
    known = read_node_json(text, "node.json").get("sources", {})
    return [name for name in site.containers if name not in known]
