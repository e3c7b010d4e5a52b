"""Where everything is on a machine: T440's paths are the site file's, a node's are fixed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core.site import Site

OWN = "~/.dualjoe"
UNITS = "~/.config/systemd/user"
AUTHORIZED_KEYS = "~/.ssh/authorized_keys"
KEYS = {"watchdog": ("control",), "node": ("pull", "ask")}
GUARD, FUSE, GATEWAY = "joe-guard.service", "joe-fuse.service", "openclaw-gateway.service"
DROP_IN = f"{GATEWAY}.d/dual-joe.conf"


@dataclass(frozen=True)
class Places:
    """Paths on one machine; `~` is the home of the account there.

    `node_file_is_default`: joe.pyz finds node.json without being told.
    """

    python: str
    joe: str
    node_file: str
    known_hosts: str
    state: str
    keys: dict[str, str]
    node_file_is_default: bool = True

    def at(self, home: str) -> Places:
        """The same with `~` replaced."""

        def full(path: str) -> str:
            return home + path[1:] if path.startswith("~/") else path

        return Places(
            python=self.python,
            joe=full(self.joe),
            node_file=full(self.node_file),
            known_hosts=full(self.known_hosts),
            state=full(self.state),
            keys={purpose: full(path) for purpose, path in self.keys.items()},
            node_file_is_default=full(self.node_file) == f"{home}/.dualjoe/node.json",
        )


def places(site: Site, machine: str) -> Places:
    """The paths on a machine of the site."""
    if machine in site.nodes:
        return Places(
            python="/usr/bin/python3",
            joe=f"{OWN}/joe.pyz",
            node_file=f"{OWN}/node.json",
            known_hosts=f"{OWN}/known_hosts",
            state=OWN,
            keys={purpose: f"{OWN}/keys/{purpose}" for purpose in KEYS["node"]},
        )
    watchdog = site.watchdog
    return Places(
        python=str(watchdog.python),
        joe=str(watchdog.joe),
        node_file=str(watchdog.node_file),
        known_hosts=str(watchdog.known_hosts),
        state=str(watchdog.state),
        keys={"control": str(watchdog.key)},
    )


def machines(site: Site) -> tuple[str, ...]:
    """T440 first: its voter is what the nodes ask."""
    return (site.watchdog.name, *site.nodes)
