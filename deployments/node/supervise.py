"""Start, drain, stop and kill for the guard: nothing here waits, and the kernel gives the proof."""

from __future__ import annotations

import os
import signal
import subprocess

from .cgroup import is_populated
from .children import become_subreaper, reap, spawn, strays
from .config import NodeConfig
from .errors import NodeError
from .gateway import SYSTEMCTL, gateway_pids, is_gone, is_open, kill_now, main_pids
from .kept import terms_locked
from .mark import Mark, load_mark, remove_mark, write_mark
from .permit import begin_start
from .processes import read_stat, send

REPEAT_SECONDS = 2.0
"""An order to systemd is not repeated sooner."""
ORDER_SECONDS = 5.0
"""A systemctl that takes longer is killed: the kernel's ways remain."""


class ProcessSupervisor:
    """Without systemd: the guard is the gateway's parent, and the gateway dies with it."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self._next_start = 0.0
        become_subreaper()

    def start(self, now: float) -> str:
        """Start the gateway if it is permitted; returns why it was not started, or ""."""
        if now < self._next_start:
            return "it ended a moment ago and is given a pause"
        try:
            mark = begin_start(self.config)
        except NodeError as error:
            return error.message
        self._next_start = now + self.config.restart_pause_seconds
        argv = (*self.config.openclaw, "gateway", "run", "--port", str(self.config.gateway_port))
        try:
            with open(self.config.state / "gateway.log", "ab") as log:
                child = spawn(argv, stdout=log, stderr=log, cwd=self.config.home)
            stat = read_stat(child.pid)
            write_mark(self.config, Mark(mark.id, child.pid, stat.started if stat else -1))
        except OSError as error:  # what was spawned without a mark is a stray, and killed
            return f"the gateway cannot be started: {error}"
        return ""

    def drain(self, now: float) -> None:
        """SIGTERM to its first process."""
        send(main_pids(self.config), signal.SIGTERM)

    stop = drain

    def kill(self, now: float) -> None:
        """SIGKILL to its session, to whoever holds its port, and to orphans."""
        kill_now(self.config)
        send(strays(), signal.SIGKILL)

    def tick(self, now: float, drained: bool) -> None:
        """Collect the dead; take a gateway whose first process has ended for dead, and prove it."""
        reap()
        mark = load_mark(self.config)
        if mark is None or (mark.pid and mark.leader()):
            return
        left = strays()
        if left or not is_gone(self.config):
            send([*left, *gateway_pids(self.config)], signal.SIGKILL)
            return
        with terms_locked(self.config):
            remove_mark(self.config, mark)


class SystemdSupervisor:
    """With systemd: it gets orders, its control group is read and killed by the kernel's files."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self._next_start = 0.0
        self._next_stop = 0.0
        self._next_query = 0.0
        self._orders: list[tuple[subprocess.Popen[bytes], float]] = []
        self._query: tuple[subprocess.Popen[bytes], Mark] | None = None

    def start(self, now: float) -> str:
        """Order a start; the unit's own ExecCondition= asks the permit again."""
        if now < self._next_start:
            return "systemd was told to start it a moment ago"
        self._next_start = now + self.config.restart_pause_seconds
        return self._order(now, "start", "--no-block", self.config.gateway_unit)

    def drain(self, now: float) -> None:
        """SIGTERM to the main process; Restart= is then refused by the permit."""
        # The word that both older and newer systemctl know.
        self._order(now, "kill", "--signal=TERM", "--kill-who=main", self.config.gateway_unit)

    def stop(self, now: float) -> None:
        """SIGTERM now, SIGKILL after the unit's TimeoutStopSec=, and no restart."""
        self._next_stop = now + REPEAT_SECONDS
        self._order(now, "stop", "--no-block", self.config.gateway_unit)

    def kill(self, now: float) -> None:
        """SIGKILL to the control group and to whoever holds the port; then the unit is stopped."""
        kill_now(self.config)
        if now >= self._next_stop:
            self.stop(now)

    def tick(self, now: float, drained: bool) -> None:
        """Collect the dead; once no process is left, ask systemd whether the unit is down."""
        reap()
        self._end_slow_orders(now)
        if self._query is not None:
            self._read_query(*self._query, now, drained)
            return
        mark = load_mark(self.config)
        if mark is None or is_populated(self.config.gateway_unit) or is_open(self.config):
            return
        if now >= self._next_query:
            self._next_query = now + 1.0
            words = ("show", "--property=ActiveState", "--value", self.config.gateway_unit)
            query = self._spawn(now, words, subprocess.PIPE)
            self._query = None if isinstance(query, str) else (query, mark)

    def _read_query(
        self, query: subprocess.Popen[bytes], mark: Mark, now: float, drained: bool
    ) -> None:
        if query.poll() is None or query.stdout is None:
            return
        with query.stdout:
            state = query.stdout.read().decode(errors="replace").strip()
        self._query = None
        if query.returncode == 0 and state in ("inactive", "failed"):
            with terms_locked(self.config):
                remove_mark(self.config, mark)
        elif drained and now >= self._next_stop:  # waiting for a restart that will be refused
            self.stop(now)

    def _order(self, now: float, *words: str) -> str:
        order = self._spawn(now, words, subprocess.DEVNULL)
        return order if isinstance(order, str) else ""

    def _spawn(self, now: float, words: tuple[str, ...], out: int) -> subprocess.Popen[bytes] | str:
        runtime = f"/run/user/{os.getuid()}"
        env = {"XDG_RUNTIME_DIR": runtime, **os.environ}
        try:
            order = spawn((*SYSTEMCTL, *words), stdout=out, env=env)
        except OSError as error:
            return f"systemctl cannot be started: {error}"
        self._orders.append((order, now))
        return order

    def _end_slow_orders(self, now: float) -> None:
        self._orders = [(order, at) for order, at in self._orders if order.poll() is None]
        for order, at in self._orders:
            if now - at > ORDER_SECONDS:
                order.kill()
