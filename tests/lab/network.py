"""The network between the hosts: one bridge on the box, and which packets it drops."""

from __future__ import annotations

from collections.abc import Set

BRIDGE = "djbr"
# Pinned: a bridge takes over the lowest address of its ports, so a host that goes away would change
# the box's own, and the others' neighbour tables would be stale for a minute.
BRIDGE_MAC = "02:00:0a:4d:00:fe"
BOX = "box"
ADDRESSES = {"t440": "10.77.0.1", "pc-a": "10.77.0.2", "pc-b": "10.77.0.3", BOX: "10.77.0.254"}


def link(host: str) -> str:
    """The box's end of a host's cable, as systemd-nspawn names it."""
    return f"vb-{host}"


def hosts_file() -> str:
    """/etc/hosts of every host."""
    return "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in ADDRESSES.items())


def network_file(host: str) -> str:
    """What systemd-networkd of a host reads; no router, no name service."""
    return (
        "[Match]\nName=host0\n[Network]\n"
        f"Address={ADDRESSES[host]}/24\nLinkLocalAddressing=no\nConfigureWithoutCarrier=yes\n"
    )


def rules(cuts: Set[tuple[str, str]]) -> str:
    """An nft script that drops the packets from the first to the second of each pair, silently."""
    script = ["table bridge dualjoe", "delete table bridge dualjoe"]
    if cuts:
        script.append("table bridge dualjoe {")
        for hook in ("forward", "input", "output"):
            script.append(f" chain {hook} {{ type filter hook {hook} priority 0;")
            script += [f"  {_drop(*cut)}" for cut in sorted(cuts) if _hook(*cut) == hook]
            script.append(" }")
        script.append("}")
    return "\n".join(script) + "\n"


def _hook(source: str, target: str) -> str:
    return "input" if target == BOX else "output" if source == BOX else "forward"


def _drop(source: str, target: str) -> str:
    return f"ip saddr {ADDRESSES[source]} ip daddr {ADDRESSES[target]} counter drop"
