"""One machine on loopback without root: folders, boot id, init with sshd, and a power switch."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from .keeper import keeper_argv
from .launch import module_argv
from .processes import (
    MARKER,
    Process,
    descendants,
    kill_until_gone,
    marked,
    process_table,
    read_command,
    wait_until,
)
from .sshd import (
    ensure_privilege_folder,
    make_sshd_config,
    port_is_open,
    read_banner,
    remove_privilege_folder,
    sshd_program,
)

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Machine:
    """A machine that can lose power; everything of it is inside `root`/`name`.

    home (HOME of every login), state (survives a power cut), run (does not), etc (sshd: host_key
    and authorized_keys must be there before power_on), log, boot_id.
    """

    def __init__(self, root: Path, name: str, ssh_port: int, gateway_port: int) -> None:
        self.root, self.name = root.resolve(), name
        self.ssh_port, self.gateway_port = ssh_port, gateway_port
        self.folder = self.root / name
        self.home, self.state = self.folder / "home", self.folder / "state"
        self.run, self.etc, self.log = (self.folder / part for part in ("run", "etc", "log"))
        self.boot_id_file = self.folder / "boot_id"
        self.node_file = self.home / ".dualjoe" / "node.json"
        self.services: dict[str, tuple[str, ...]] = {}  # name (of its log) -> argv
        self._init: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        for folder in (self.home, self.state, self.etc, self.log, self.node_file.parent):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What every login and every spawned command finds in its environment."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.home}/bin:{PATH}",
            "DUALJOE_NODE": str(self.node_file),
            MARKER: str(self.folder),
        }

    @property
    def is_on(self) -> bool:
        """Whether the machine's init runs."""
        return self._init is not None and self._init.poll() is None

    @property
    def boot_id(self) -> str:
        """The id of this boot, or of the last one while the power is off."""
        return self.boot_id_file.read_text().strip()

    def power_on(self, seconds: float = 20.0) -> float:
        """Boot: new boot id, empty run folder, sshd, then the services, each kept running.

        Returns the seconds until sshd answered.

        Raises RuntimeError when it is on already or sshd ends, TimeoutError after `seconds`.
        """
        if self.is_on:
            raise RuntimeError(f"{self.name} is on already")
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir()
        self.boot_id_file.write_text(f"{uuid.uuid4()}\n")
        self._start_init()
        try:
            took = self.start_sshd(seconds)
            self.start_services()
            return took
        except BaseException:
            self._kill_all(seconds)
            raise

    def start_sshd(self, seconds: float = 20.0) -> float:
        """Start sshd, at a boot or after it was killed; returns the seconds until it answered.

        Raises RuntimeError when it ends, TimeoutError after `seconds`.
        """
        config, pid_file = self.etc / "sshd_config", self.etc / "sshd.pid"
        config.write_text(make_sshd_config(self.etc, self.ssh_port, self.environment))
        pid_file.unlink(missing_ok=True)
        ensure_privilege_folder()
        log = self.log / "sshd.log"
        argv = (sshd_program(), "-D", "-f", str(config), "-E", str(log))
        sshd = self.spawn(argv, {}, log)

        def answers() -> bool:
            if sshd not in process_table():
                raise RuntimeError(f"{self.name}: sshd ended: {log.read_text()[-300:].strip()}")
            # The pid file first: another program's sshd may hold the port.
            return pid_file.exists() and read_banner(self.ssh_port).startswith("SSH-2.0")

        return wait_until(answers, seconds, f"{self.name}: sshd answers at {self.ssh_port}")

    def _start_init(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs, (self.log / "init.log").open("ab") as log:
            self._init = subprocess.Popen(
                module_argv("deployments.demo.init", str(self.folder)),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=self.environment,
                start_new_session=True,
            )

    def start_services(self) -> None:
        """Start each service, and again whenever it ends."""
        for service, words in self.services.items():
            self.spawn(keeper_argv(*words), {}, self.log / f"{service}.log")

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> int:
        """Start a command as a child of init, in HOME, output appended to `log`; return its pid.

        `env` is added to the machine's own. Raises RuntimeError when off or when it cannot start.
        """
        if self._control is None or not self.is_on:
            raise RuntimeError(f"{self.name} is off")
        request = {"argv": list(argv), "env": {**self.environment, **env}, "log": str(log)}
        self._control.settimeout(10.0)
        self._control.sendall(json.dumps(request).encode() + b"\n")
        with self._control.makefile("rb") as replies:
            reply = json.loads(replies.readline() or b'{"error": "init ended"}')
        if "pid" not in reply:
            raise RuntimeError(f"{self.name}: {argv[0]}: {reply['error']}")
        return int(reply["pid"])

    def pids(self) -> list[int]:
        """Every living process of this machine, init first, parents before their children."""
        table = process_table()
        tree: list[int] = []
        if self._init is not None and self._init.pid in table:
            tree = [self._init.pid, *descendants(self._init.pid, table)]
        return list(dict.fromkeys((*tree, *belonging_to(self.folder, table))))

    def running(self, words: str) -> list[int]:
        """The living processes of this machine with `words` in their command line, no keepers."""
        lines = {pid: read_command(pid) for pid in self.pids()}
        return [pid for pid, line in lines.items() if words in line and "keeper" not in line]

    def power_cut(self, seconds: float = 10.0) -> float:
        """Kill everything at once and lose the run folder; return the seconds that it took.

        Raises TimeoutError when a process or an open port is left.
        """
        begun = time.monotonic()
        self._kill_all(seconds)
        ports = (self.ssh_port, self.gateway_port)
        wait_until(
            lambda: not any(map(port_is_open, ports)), seconds, f"{self.name}: {ports} closed"
        )
        shutil.rmtree(self.run, ignore_errors=True)
        return time.monotonic() - begun

    def _kill_all(self, seconds: float) -> None:
        init = self._init.pid if self._init is not None else 0
        # init last: what is orphaned before goes to it and stays in sight
        kill_until_gone(lambda: [pid for pid in self.pids() if pid != init], seconds)
        if self._init is not None:
            self._init.kill()
            self._init.wait()
        if self._control is not None:
            self._control.close()
        self._init = self._control = None
        kill_until_gone(self.pids, seconds)


def belonging_to(folder: Path, table: dict[int, Process]) -> list[int]:
    """Processes of the machine `folder`, or of all machines below it, without help of an init.

    Found by their marker; an sshd, whose title covers its environment, by its configuration or log.
    """
    inside = f"{folder}/"
    found = dict.fromkeys(marked(lambda marker: f"{marker}/".startswith(inside), table))
    for process in table.values():
        if process.name == "sshd" and _names_or_opens(process.pid, inside):
            found[process.pid] = None
            found.update(dict.fromkeys(descendants(process.pid, table)))
    return list(found)


def _names_or_opens(pid: int, inside: str) -> bool:
    """Whether the process's command line names something `inside`, or it has such a file open."""
    if inside in read_command(pid):
        return True
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}").startswith(inside):
                    return True
    return False


def sweep(root: Path, seconds: float = 10.0) -> list[str]:
    """End what a crashed earlier demo in `root` left running, and say what it was, a line each.

    Raises TimeoutError when something does not end.
    """
    found: dict[int, str] = {}

    def left() -> list[int]:
        table = process_table()
        pids = belonging_to(root.resolve(), table)
        for pid in pids:
            found.setdefault(pid, table[pid].name)
        return pids

    kill_until_gone(left, seconds)
    said = [f"ended process {pid} ({name}), left by an earlier demo" for pid, name in found.items()]
    if remove_privilege_folder():
        said.append("removed /run/sshd, left by an earlier demo")
    return said
