"""The first process of a demo machine: a subreaper with sshd as its child. Stdlib, Python >= 3.9.

Everything that runs on the machine is below it, also what outlives its parent, so that a power cut
finds it. It takes its tree down when it gets SIGTERM and when its starter is gone: the control
socket is then closed. (Not PR_SET_PDEATHSIG: that also fires when only the starting thread ends.)

Control socket (standard input): one JSON line {argv, env, log} -> one JSON line {pid} or {error}.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from .processes import descendants, kill_until_gone, process_table

PR_SET_CHILD_SUBREAPER = 36
STARTER_CHECK_SECONDS = 0.25


def become_subreaper() -> None:
    """Make orphans among the descendants children of this process. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def spawn(argv: Sequence[str], env: dict[str, str], log: str) -> int:
    """Start a command in a session of its own, its output appended to `log`; return its pid."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawnp(
        argv[0],
        list(argv),
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM],
    )


def reap() -> None:
    """Collect every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def take_down() -> None:
    """SIGKILL every process below this one, until none is left."""

    def left() -> list[int]:
        reap()
        return descendants(os.getpid(), process_table())

    kill_until_gone(left, seconds=10)


def answer(line: bytes) -> bytes:
    """One request of the control socket -> its reply, also when the command cannot start."""
    try:
        request: dict[str, Any] = json.loads(line)
        reply: dict[str, Any] = {"pid": spawn(request["argv"], request["env"], request["log"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    return json.dumps(reply).encode() + b"\n"


def listen(control: socket.socket, wakeup: int, is_ending: Callable[[], bool]) -> None:
    """Answer requests and reap children until it is ending or the starter is gone."""
    starter, pending = os.getppid(), b""
    while not is_ending() and os.getppid() == starter:
        watched = [control.fileno(), wakeup]
        ready = select.select(watched, [], [], STARTER_CHECK_SECONDS)[0]
        reap()
        if wakeup in ready:
            os.read(wakeup, 4096)
        if control.fileno() in ready:
            data = control.recv(65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                control.sendall(answer(line))


def main(argv: Sequence[str]) -> int:
    """Run as a machine's init until its end; `argv` is [machine's folder], shown in `ps` only."""
    become_subreaper()
    ending: list[int] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda number, frame: ending.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the demo, which then ends us
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    with contextlib.suppress(ConnectionError):
        listen(socket.socket(fileno=0), reading, lambda: bool(ending))
    take_down()
    return 0
