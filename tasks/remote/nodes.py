"""The connection of each node of a site, one a process, kept between calls."""

from __future__ import annotations

import threading

from tasks.core.site import Site
from tasks.remote.address import Address
from tasks.remote.local_line import close_line
from tasks.remote.ssh import Connection

_connections: dict[Address, Connection] = {}
_lock = threading.Lock()


def address_of(site: Site, node: str) -> Address:
    """Where T440 reaches a node, from the site file."""
    where, watchdog = site.nodes[node], site.watchdog
    return Address(
        name=node,
        host=where.address,
        port=where.port,
        user=where.user,
        key=watchdog.key,
        known_hosts=watchdog.known_hosts,
    )


def node(site: Site, name: str) -> Connection:
    """The rpc door of a node; the connection is opened by its first call."""
    address = address_of(site, name)
    with _lock:
        return _connections.setdefault(address, Connection(address))


def close_site(site: Site) -> None:
    """End those that belong to one site; another thread may be at work on another one."""
    close_line(site.watchdog)
    addresses = [address_of(site, name) for name in site.nodes]
    with _lock:
        found = [_connections.pop(one) for one in addresses if one in _connections]
    for connection in found:
        connection.close()
