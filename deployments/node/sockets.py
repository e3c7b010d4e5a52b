"""Who listens on a TCP port, by the kernel's own list of listeners.

Asked through a sock_diag socket (linux/sock_diag.h, linux/inet_diag.h): /proc/net/tcp walks the
table of all connections for the same answer, which costs milliseconds.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_LISTEN = 10
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, pid
# inet_diag_msg: its source port is at 4, in network order, its inode is the last of 72 bytes.
PORT_AT, INODE_AT, MESSAGE_BYTES = 4, 68, 72


def listening_inodes(port: int) -> set[int]:
    """The inodes of the sockets that listen on the port, of every user and address."""
    try:
        return {inode for listened, inode in _ask_kernel() if listened == port}
    except (OSError, struct.error):  # a kernel without tcp_diag
        return set(_read_tables(port))


def _ask_kernel() -> Iterator[tuple[int, int]]:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            states = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
            request = states + bytes(48)  # no address in particular
            length = HEADER.size + len(request)
            kernel.send(HEADER.pack(length, SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0) + request)
            yield from _read_dump(kernel)


def _read_dump(kernel: socket.socket) -> Iterator[tuple[int, int]]:
    """(port, inode) of each listener. Raises OSError when the kernel cannot tell."""
    while True:
        data = kernel.recv(1 << 17)
        at = 0
        while at < len(data):
            length, kind, _, _, _ = HEADER.unpack_from(data, at)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR or length < HEADER.size + MESSAGE_BYTES:
                raise OSError("the kernel does not list its listeners")
            message = at + HEADER.size
            (port,) = struct.unpack_from(">H", data, message + PORT_AT)
            (inode,) = struct.unpack_from("=I", data, message + INODE_AT)
            yield port, inode
            at += (length + 3) & ~3


def _read_tables(port: int) -> Iterator[int]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    yield int(fields[9])
