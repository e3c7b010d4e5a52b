"""One persistent ssh connection a node, with pinned host keys and deadlines that hold.

paramiko's own timeouts cover single waits, not the whole of a connect or a command, so a timer
breaks the socket or the channel when the deadline has passed: whatever waits then fails at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from tasks.core.errors import (
    AuthFailed,
    CommandFailed,
    HostKeyMismatch,
    RemoteError,
    Unreachable,
)
from tasks.remote.answer import parse_answer

# What goes wrong is raised to whoever called; paramiko would log it as an error of the run as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

MAX_OUTPUT_BYTES = 4 << 20


@dataclass(frozen=True)
class Address:
    """Where a node is and how we prove to each other who we are."""

    name: str
    host: str
    port: int
    user: str
    key: Path
    known_hosts: Path

    @property
    def host_key_name(self) -> str:
        """The name under which known_hosts holds this host's key."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


class Connection:
    """A node's rpc door over one ssh transport, opened when first needed and kept.

    Safe to use from several threads. Every method raises Unreachable when the deadline passes or
    the link breaks, HostKeyMismatch and AuthFailed as they say.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._transport: paramiko.Transport | None = None
        self._lock = threading.Lock()

    def call(
        self, verb: str, params: dict[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        """Run one rpc verb of the node and return its JSON answer.

        Raises Refused when the node's guard said no, CommandFailed when it failed or answered
        something else than JSON.
        """
        deadline = time.monotonic() + seconds
        with self._channel("session", None, deadline) as channel:
            status, output = self._exchange(channel, verb, json.dumps(params or {}), deadline)
        return parse_answer(self.address.name, verb, status, output)

    @contextlib.contextmanager
    def tunnel(self, port: int, seconds: float) -> Iterator[paramiko.Channel]:
        """A channel to `port` on the node's own loopback; Unreachable(refused=True) if closed."""
        deadline = time.monotonic() + seconds
        with self._channel("direct-tcpip", ("127.0.0.1", port), deadline) as channel:
            yield channel

    def is_open(self) -> bool:
        """Whether there is a connection; false once one was lost."""
        return self._transport is not None and self._transport.is_active()

    def close(self) -> None:
        """End the connection; the next call opens a new one."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    @contextlib.contextmanager
    def _channel(
        self, kind: str, target: tuple[str, int] | None, deadline: float
    ) -> Iterator[paramiko.Channel]:
        transport = self._open_transport(deadline)
        name = self.address.name
        try:
            with broken_at(deadline, transport.close):
                channel = transport.open_channel(
                    kind, target, ("127.0.0.1", 0), timeout=remaining(deadline)
                )
        except paramiko.ChannelException as error:
            raise Unreachable(name, f"{target or kind} refused: {error}", refused=True) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()  # a transport that opens no channel is of no use to the next caller
            raise Unreachable(name, f"no answer: {error or 'connection lost'}") from None
        try:
            with broken_at(deadline, channel.close):
                channel.settimeout(remaining(deadline))
                yield channel
        finally:
            channel.close()

    def _exchange(
        self, channel: paramiko.Channel, verb: str, text: str, deadline: float
    ) -> tuple[int, bytes]:
        try:
            channel.exec_command(verb)
            channel.sendall(text.encode())
            channel.shutdown_write()
            output = bytearray()
            while chunk := channel.recv(65536):
                output += chunk
                if len(output) > MAX_OUTPUT_BYTES:
                    raise CommandFailed(
                        self.address.name, f"{verb}: more than {MAX_OUTPUT_BYTES} bytes", -1
                    )
            status = channel.recv_exit_status()  # -1 once the channel was closed for it
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise Unreachable(self.address.name, f"{verb}: {error or 'no answer'}") from None
        if status == -1 and time.monotonic() >= deadline:
            raise Unreachable(self.address.name, f"{verb}: no answer within the deadline")
        if not channel.eof_received:  # a program that ended was the last to hold its output open
            raise Unreachable(self.address.name, f"{verb}: connection lost")
        return status, bytes(output)

    def _open_transport(self, deadline: float) -> paramiko.Transport:
        with self._lock:
            if self._transport is not None and self._transport.is_active():
                return self._transport
            self._transport = connect(self.address, deadline)
            return self._transport


def connect(address: Address, deadline: float) -> paramiko.Transport:
    """Open and authenticate a transport before `deadline` (monotonic seconds).

    Only the pinned host key, only the one key file: no agent, no password.
    """
    pinned = pinned_key(address)
    try:
        sock = socket.create_connection((address.host, address.port), remaining(deadline))
    except ConnectionRefusedError:
        raise Unreachable(address.name, "ssh port closed", refused=True) from None
    except OSError as error:
        raise Unreachable(address.name, f"no connection: {error}") from None
    transport: paramiko.Transport | None = None
    try:
        with broken_at(deadline, sock.close):
            transport = paramiko.Transport(sock)
            options = transport.get_security_options()
            if pinned.get_name() in options.key_types:  # else it would offer a key we never pinned
                options.key_types = (pinned.get_name(),)
            transport.start_client(timeout=remaining(deadline))
            check_host_key(address, pinned, transport.get_remote_server_key())
            key = paramiko.Ed25519Key.from_private_key_file(str(address.key))
            transport.auth_publickey(address.user, key)
            transport.set_keepalive(10)
            return transport
    except BaseException as error:
        lost = transport is None or not transport.is_active()
        if transport is not None:
            transport.close()
        sock.close()
        raise _reading(address, error, lost) from None


def _reading(address: Address, error: BaseException, lost: bool) -> BaseException:
    """What an error of paramiko means to us; a link that was lost says nothing of the key."""
    if isinstance(error, RemoteError):
        return error
    if isinstance(error, paramiko.AuthenticationException) and not lost:
        return AuthFailed(address.name, f"does not take the key {address.key.name}")
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return HostKeyMismatch(address.name, _how_to_accept(address, "has no key of that type"))
    if isinstance(error, paramiko.SSHException | OSError | EOFError):
        return Unreachable(address.name, f"no ssh answer: {error or 'connection lost'}")
    return error


def pinned_key(address: Address) -> paramiko.PKey:
    """The host key that known_hosts holds for this node. Raises HostKeyMismatch when none."""
    keys = paramiko.HostKeys()
    with contextlib.suppress(FileNotFoundError):
        keys.load(str(address.known_hosts))
    found = keys.lookup(address.host_key_name)
    if found is None:
        raise HostKeyMismatch(address.name, _how_to_accept(address, "host key unknown"))
    return next(iter(found.values()))


def check_host_key(address: Address, pinned: paramiko.PKey, offered: paramiko.PKey) -> None:
    """Raises HostKeyMismatch unless the offered key is the pinned one."""
    if offered != pinned:
        what = f"host key changed: now {offered.fingerprint}, pinned {pinned.fingerprint}"
        raise HostKeyMismatch(address.name, _how_to_accept(address, what))


def _how_to_accept(address: Address, what: str) -> str:
    return (
        f"{what}; if that is right, compare the fingerprint on the machine and accept it:"
        f" ssh-keygen -R '{address.host_key_name}' -f {address.known_hosts} &&"
        f" ssh-keyscan -t ed25519 -p {address.port} {address.host} >> {address.known_hosts}"
    )


def remaining(deadline: float) -> float:
    """Seconds left, never 0: 0 would mean "do not block" to a socket."""
    return max(deadline - time.monotonic(), 0.001)


@contextlib.contextmanager
def broken_at(deadline: float, break_it: Callable[[], object]) -> Iterator[None]:
    """Call `break_it` when the deadline passes while the block still runs."""
    timer = threading.Timer(remaining(deadline), break_it)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
