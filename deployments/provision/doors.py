"""authorized_keys: one line a key, which opens one forced command; every other line stays. Pure.

A line is ours when it ends with the comment `dual-joe:<site>:<purpose>@<machine>` and is no
comment itself. Ours go before the others: what was there stays byte for byte, and is there again
after they are taken away.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from deployments.provision.places import KEYS, Places
from tasks.core.errors import ConfigError
from tasks.core.site import Site

_PUBLIC = re.compile(r"(ssh-ed25519) ([A-Za-z0-9+/]+={0,2})( .*)?")
PublicKeys = Mapping[tuple[str, str], str]
"""(machine, purpose) -> `ssh-ed25519 BASE64`, of the keys that are there already."""


def comment(site: Site, machine: str, purpose: str) -> str:
    """The mark of a key and of its lines."""
    return f"dual-joe:{site.site}:{purpose}@{machine}"


def parse_public(text: str) -> str:
    """A .pub file's two words without its comment. Raises ConfigError for anything else.

    What a node sends goes into another machine's authorized_keys: nothing but a key may.
    """
    match = _PUBLIC.fullmatch(text.strip())
    if not match:
        raise ConfigError(f"not the public half of an ed25519 key: {text.strip()[:80]!r}")
    return f"{match[1]} {match[2]}"


def edit(text: str, site: str, lines: Sequence[str]) -> str:
    """The file's text with exactly `lines` of ours; the same text when it is so already."""
    mark = re.compile(rf"\s*[^#\s].*\sdual-joe:{re.escape(site)}:[a-z]+@[a-z0-9-]+\s*")
    parts = re.findall(r"[^\n]*\n|[^\n]+", text)  # a line ends with \n and with nothing else
    ours = [part for part in parts if mark.fullmatch(part)]
    if sorted(part.strip() for part in ours) == sorted(lines):
        return text
    others = [part for part in parts if not mark.fullmatch(part)]
    return "".join([*(f"{line}\n" for line in lines), *others])


def door_lines(site: Site, machine: str, places: Places, keys: PublicKeys) -> list[str] | None:
    """The lines of ours on one machine; None while a key of theirs is not made yet.

    Every machine opens export and answer to the (other) nodes, a node opens rpc to T440.
    """
    wanted = [
        (node, purpose, door(places, verb))
        for node in site.nodes
        if node != machine
        for purpose, verb in (("pull", "export"), ("ask", f"answer {node}"))
    ]
    if machine in site.nodes:
        port = site.nodes[machine].gateway_port
        # Without permitlisten a default sshd lets the key open listeners on the node.
        more = f'port-forwarding,permitopen="127.0.0.1:{port}",permitlisten="127.0.0.1:1"'
        wanted.append((site.watchdog.name, "control", door(places, "rpc", more)))
    if any((owner, purpose) not in keys for owner, purpose, _ in wanted):
        return None
    return [
        f"{options} {keys[owner, purpose]} {comment(site, owner, purpose)}"
        for owner, purpose, options in wanted
    ]


def door(places: Places, verb: str, more: str = "") -> str:
    """The options of a key: one forced command, and nothing else but `more`.

    Raises ConfigError for a path that authorized_keys cannot carry.
    """
    words = [places.python, "-IS", places.joe, *verb.split()]
    if not places.node_file_is_default:
        words = ["/usr/bin/env", f"DUALJOE_NODE={places.node_file}", *words]
    command = shlex.join(words)
    if re.search(r'["\\\n]', command):
        raise ConfigError(f"a path with a quote, a backslash or a line's end: {command!r}")
    return f'restrict,{f"{more}," if more else ""}command="{command}"'


def purposes(site: Site, machine: str) -> tuple[str, ...]:
    """What the keys of a machine are for, one key each."""
    return KEYS["node" if machine in site.nodes else "watchdog"]
