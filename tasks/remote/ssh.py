"""One persistent ssh connection a node, with pinned host keys and deadlines that hold."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import paramiko

from tasks.core.errors import (
    AuthFailed,
    CommandFailed,
    HostKeyMismatch,
    RemoteError,
    Unreachable,
)
from tasks.remote.address import Address, check_host_key, how_to_accept, pinned_key
from tasks.remote.answer import parse_answer
from tasks.remote.deadline import broken_at, remaining
from tasks.remote.line import NoLine
from tasks.remote.ssh_line import SshLine

# What goes wrong is raised to whoever called; paramiko would log it as an error of the run as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

MAX_OUTPUT_BYTES = 4 << 20


class Connection:
    """A node's rpc door over one ssh transport, opened when first needed and kept.

    Safe to use from several threads. Every method raises Unreachable when the deadline passes or
    the link breaks, HostKeyMismatch and AuthFailed as they say.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._transport: paramiko.Transport | None = None
        self._lock = threading.Lock()
        self._line = SshLine(address.name, self._open_session)

    def ask(
        self, verb: str, params: dict[str, Any] | None = None, *, seconds: float
    ) -> dict[str, Any]:
        """As `call`, for the verbs that `stay` answers: no process is started for it there."""
        begun = time.monotonic()
        try:
            return self._line.ask(verb, params, seconds)
        except NoLine:
            left = max(0.1, seconds - (time.monotonic() - begun))
            return self.call(verb, params, seconds=left)

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
        self._line.close()
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _open_session(self, seconds: float) -> paramiko.Channel:
        """A channel for a program that goes on; whoever asked for it closes it."""
        deadline = time.monotonic() + seconds
        return self._open_channel("session", None, deadline)

    @contextlib.contextmanager
    def _channel(
        self, kind: str, target: tuple[str, int] | None, deadline: float
    ) -> Iterator[paramiko.Channel]:
        channel = self._open_channel(kind, target, deadline)
        try:
            with broken_at(deadline, channel.close):
                channel.settimeout(remaining(deadline))
                yield channel
        finally:
            channel.close()

    def _open_channel(
        self, kind: str, target: tuple[str, int] | None, deadline: float
    ) -> paramiko.Channel:
        transport, is_new = self._open_transport(deadline)
        name = self.address.name
        try:
            with broken_at(deadline, transport.close):
                return transport.open_channel(
                    kind, target, ("127.0.0.1", 0), timeout=remaining(deadline)
                )
        except paramiko.ChannelException as error:
            raise Unreachable(name, f"{target or kind} refused: {error}", refused=True) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._drop(transport)  # one that opens no channel is of no use to the next caller
            if is_new or time.monotonic() >= deadline:
                raise Unreachable(name, f"no answer: {error or 'connection lost'}") from None
        # The kept one was lost, or another thread ended it, and nothing had been asked on it yet.
        return self._open_channel(kind, target, deadline)

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

    def _open_transport(self, deadline: float) -> tuple[paramiko.Transport, bool]:
        """The connection, and whether it was opened just now."""
        with self._lock:
            if self._transport is not None and self._transport.is_active():
                return self._transport, False
            self._transport = connect(self.address, deadline)
            return self._transport, True

    def _drop(self, transport: paramiko.Transport) -> None:
        """End this connection; one that another thread has opened meanwhile stays."""
        with self._lock:
            if self._transport is transport:
                self._transport = None
        transport.close()


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
            # Else the end of a request waits for the answer to its last packet: 40 ms a call.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        return HostKeyMismatch(address.name, how_to_accept(address, "has no key of that type"))
    if isinstance(error, paramiko.SSHException | OSError | EOFError):
        return Unreachable(address.name, f"no ssh answer: {error or 'connection lost'}")
    return error
