"""One kept-open ssh to one voter: a line goes in, a line comes back; never waits for either."""

from __future__ import annotations

import os

from .children import Piped, read_available, spawn_piped
from .config import Peer
from .wire import MAX_LINE

CONNECT_SECONDS = 2
FIRST_ANSWER_SECONDS = 6.0
"""From the start of ssh to the first answer; a busy machine needs seconds for the handshake."""
PATIENCE_SECONDS = 3.0
"""Without an answer for so long the connection is given up: a new one recovers from a pause of the
network within 2 s, TCP's own repeats may take as long as the pause did."""
QUICK_RETRIES_SECONDS = 20.0
QUICK_PAUSE_SECONDS = 0.3
SLOW_PAUSE_SECONDS = 5.0
"""Between two attempts: quick while a term may still be saved, slow when the machine is off."""


def make_ssh(peer: Peer) -> tuple[str, ...]:
    """argv of the kept-open ssh: only the pinned host key, only this key, no terminal."""
    options = (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={peer.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        f"ConnectTimeout={CONNECT_SECONDS}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=2",
        "ControlPath=none",
        "LogLevel=ERROR",
    )
    flags = tuple(word for option in options for word in ("-o", option))
    ends = ("-i", str(peer.answer_key), "-p", str(peer.port), "-l", peer.user, peer.address)
    return ("ssh", "-F", "none", "-T", *flags, *ends)


class Link:
    """The connection to one voter; all times are this machine's BOOTTIME."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name = name
        self.answered_at: float | None = None  # when the last line came
        self.trouble = "no connection yet"
        self._argv = make_ssh(peer)
        self._ssh: Piped | None = None
        self._lost_at: float | None = None
        self._next_try = 0.0
        self._waiting_since: float | None = None  # of the oldest line without an answer
        self._is_up = False  # has this ssh brought an answer?
        self._pending = b""

    def ask(self, line: bytes, now: float) -> None:
        """Send one line, or begin a new connection with it when there is none."""
        ssh = self._ssh or self._connect(now)
        if ssh is None:
            return
        if not self._is_up and self._waiting_since is not None:
            return  # the first is still on its way: more would only arrive late
        if self._waiting_since is None:
            self._waiting_since = now
        try:
            os.write(ssh.stdin, line)
        except BlockingIOError:  # the pipe is full: ssh itself hangs
            self._lose("ssh takes no input", now)
        except OSError:
            self._lose("ssh has ended", now)

    def read(self, now: float) -> list[bytes]:
        """Every whole line that has come; a connection that was silent for too long is given up."""
        if self._ssh is None:
            return []
        data, ended = read_available(self._ssh.stdout)
        *lines, self._pending = (self._pending + data).split(b"\n")
        if lines:
            self.answered_at, self._is_up, self._waiting_since = now, True, None
            self._lost_at, self.trouble = None, ""
        patience = PATIENCE_SECONDS if self._is_up else FIRST_ANSWER_SECONDS
        if ended or len(self._pending) > MAX_LINE:
            self._lose("the connection has ended", now)
        elif self._waiting_since is not None and now - self._waiting_since > patience:
            self._lose(f"no answer for {now - self._waiting_since:.0f} s", now)
        return lines

    def close(self) -> None:
        """End ssh at once."""
        if self._ssh is not None:
            self._ssh.end()
            self._ssh = None

    def _connect(self, now: float) -> Piped | None:
        if now < self._next_try:
            return None
        try:
            self._ssh = spawn_piped(self._argv)
        except OSError as error:
            self._lose(f"ssh cannot be started: {error}", now)
            return None
        self._is_up, self._waiting_since, self._pending = False, None, b""
        return self._ssh

    def _lose(self, why: str, now: float) -> None:
        said = ""
        if self._ssh is not None:
            text = read_available(self._ssh.stderr)[0].decode(errors="replace").strip()
            said = text.splitlines()[-1][:200] if text else ""
        self.close()
        self.trouble = said or why
        self._lost_at = now if self._lost_at is None else self._lost_at
        quick = now - self._lost_at < QUICK_RETRIES_SECONDS
        self._next_try = now + (QUICK_PAUSE_SECONDS if quick else SLOW_PAUSE_SECONDS)
