"""The guard's child processes: they die with it, and what they leave behind comes to it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import IO, NamedTuple, Union

from .processes import all_stats

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

File = Union[int, IO[bytes]]
_known: dict[int, subprocess.Popen[bytes]] = {}


def become_subreaper() -> None:
    """Make orphans among the descendants children of this process. Raises OSError."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def spawn(
    argv: Sequence[str],
    *,
    stdin: File = subprocess.DEVNULL,
    stdout: File = subprocess.DEVNULL,
    stderr: File = subprocess.DEVNULL,
    cwd: str | os.PathLike[str] | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that is killed when this process ends.

    Only for programs with one thread: both the fork and the death signal go by thread.
    Raises OSError.
    """
    parent = os.getpid()

    def in_child() -> None:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    child = subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=env,
        preexec_fn=in_child,
        restore_signals=True,
    )
    _known[child.pid] = child
    return child


class Piped(NamedTuple):
    """A child and our ends of its three streams, none of which ever blocks."""

    process: subprocess.Popen[bytes]
    stdin: int
    stdout: int
    stderr: int

    def end(self) -> None:
        """SIGKILL, and close our ends."""
        self.process.kill()
        for descriptor in self[1:]:
            os.close(descriptor)


def spawn_piped(argv: Sequence[str]) -> Piped:
    """As `spawn`, with pipes. Raises OSError."""
    pipes = [os.pipe() for _ in range(3)]
    theirs, ours = (pipes[0][0], pipes[1][1], pipes[2][1]), (pipes[0][1], pipes[1][0], pipes[2][0])
    try:
        process = spawn(argv, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2])
    except OSError:
        for descriptor in ours:
            os.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    for descriptor in ours:
        os.set_blocking(descriptor, False)
    return Piped(process, *ours)


def read_available(descriptor: int) -> tuple[bytes, bool]:
    """What a pipe holds now, and whether its other end is closed."""
    data = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except BlockingIOError:
            return data, False
        except OSError:
            return data, True
        if not part:
            return data, True
        data += part


def reap() -> None:
    """Collect every child that has ended, spawned or inherited."""
    for pid in [pid for pid, child in _known.items() if child.returncode is not None]:
        del _known[pid]  # its number may belong to a stray soon
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        child = _known.pop(ended.si_pid, None)
        if child is not None:
            child.poll()
        else:
            os.waitpid(ended.si_pid, 0)


def strays() -> list[int]:
    """Children that this process did not start: orphans of a gateway that has ended."""
    own = os.getpid()
    return [stat.pid for stat in all_stats() if stat.parent == own and stat.pid not in _known]


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


_libc = ctypes.CDLL(None, use_errno=True)
