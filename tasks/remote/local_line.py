"""`joe.pyz stay` on T440 itself: one for this process, which ends with it."""

from __future__ import annotations

import select
import subprocess
import threading
import time

from tasks.core.site import Watchdog
from tasks.remote.line import Line


def environment(watchdog: Watchdog) -> dict[str, str]:
    """Of joe.pyz on T440."""
    return {"DUALJOE_NODE": str(watchdog.node_file), "PATH": "/usr/bin:/bin"}


class LocalLine(Line):
    """A `joe.pyz stay` of this process's own; it ends with this process."""

    def __init__(self, watchdog: Watchdog) -> None:
        super().__init__(watchdog.name)
        self.watchdog = watchdog
        self._child: subprocess.Popen[bytes] | None = None

    def exchange(self, request: bytes, seconds: float) -> bytes:
        until = time.monotonic() + seconds
        if self._child is None:
            argv = (str(self.watchdog.python), str(self.watchdog.joe), "stay")
            self._child = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(self.watchdog),
            )
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:
            raise EOFError
        requests.write(request)
        poll, line = select.poll(), b""
        poll.register(answers, select.POLLIN)
        while not line.endswith(b"\n"):
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError
            chunk = answers.read(65536)
            if not chunk:
                raise EOFError
            line += chunk
        return line

    def end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        child.wait()


_lines: dict[Watchdog, LocalLine] = {}
_lock = threading.Lock()


def line_of(watchdog: Watchdog) -> LocalLine:
    """The one of this process."""
    with _lock:
        if watchdog not in _lines:
            _lines[watchdog] = LocalLine(watchdog)
        return _lines[watchdog]


def close_line(watchdog: Watchdog) -> None:
    """End the one of this process and that machine, if there is one."""
    with _lock:
        line = _lines.pop(watchdog, None)
    if line is not None:
        line.close()
