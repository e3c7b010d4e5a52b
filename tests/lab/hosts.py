"""One host of the lab: a full systemd with a power switch, a freezer, a cable and a disk."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.demo.processes import wait_until
from tests.lab import cache, cgroups
from tests.lab.boot import DISK, make_boot, make_disk, make_own
from tests.lab.commands import Failed, ask, is_listening
from tests.lab.network import ADDRESSES, link

if TYPE_CHECKING:
    from tests.lab.lab import Lab

BOOT_SECONDS = 60.0
ENVIRONMENT = {
    "HOME": f"/home/{cache.USER}",
    "USER": cache.USER,
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "XDG_RUNTIME_DIR": f"/run/user/{cache.UID}",
    "LANG": "C.UTF-8",
}


class Host:
    """One machine: t440, pc-a or pc-b. Its disk outlives a power cut, its /run does not."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name, self.address = lab, name, ADDRESSES[name]
        self.group = cgroups.Group(lab.pid, name)
        self.disk = lab.mount / name  # as the holder sees it
        self._power: subprocess.Popen[bytes] | None = None
        make_disk(lab, self.disk, str(lab.base))
        make_own(self.files, name)

    @property
    def files(self) -> Path:
        """The host's root folder, for this process to read and write."""
        return Path(f"{self.lab.root}{self.disk}/all")

    @property
    def home(self) -> Path:
        """The home of the host's user, for this process."""
        return self.files / "home" / cache.USER

    @property
    def live(self) -> Path:
        """The root folder as the running host sees it, /run included. Raises Failed when off."""
        return Path(f"/proc/{self._init()}/root")

    def boottime(self) -> float:
        """The host's CLOCK_BOOTTIME now. Raises Failed when it is off."""
        for line in Path(f"/proc/{self._init()}/timens_offsets").read_text().splitlines():
            name, seconds, nanoseconds = line.split()
            if name == "boottime":
                own = time.clock_gettime(time.CLOCK_BOOTTIME)
                return own + int(seconds) + int(nanoseconds) / 1e9
        raise Failed(f"{self.name} has no clock of its own")

    def _init(self) -> int:
        init = self.group.first_pid()
        if init is None:
            raise Failed(f"{self.name} is off")
        return init

    # Power

    def start(self) -> float:
        """Power on; returns the seconds until a login would work."""
        begun = time.monotonic()
        self.power_on()
        self.wait_until_up()
        return time.monotonic() - begun

    def power_on(self) -> None:
        """Press the button, and do not wait."""
        if self.is_on:
            raise Failed(f"{self.name} is on already")
        script = f'{self.group.entering()}; exec "$@"'
        argv = self.lab.argv("sh", "-ec", script, "sh", *make_boot(self.lab, self.disk, self.name))
        with self.console.open("ab") as log:
            self._power = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def console(self) -> Path:
        """What the host's init and kernel messages went to."""
        return Path(f"{self.lab.root}{self.disk}/console.log")

    @property
    def is_on(self) -> bool:
        """Whether the host has power."""
        return self._power is not None and self._power.poll() is None

    def wait_until_up(self) -> None:
        """Until it has its address, sshd listens and the user's own systemd is ready."""
        manager = ("systemctl", "--user", "--quiet", "is-active", "default.target")

        def is_up() -> bool:
            if not self.is_on:
                raise Failed(f"{self.name} went off: {self.console.read_text()[-1000:]}")
            is_there = self.has_address() and self.ask(manager, timeout=5).returncode == 0
            return is_there and self.listens(22)

        self.wait_until(is_up, BOOT_SECONDS, "up")

    def power_cut(self) -> None:
        """Off within a tenth of a second; the others see silence, as with a real one."""
        self.unplug()  # first the cable: the kernel would still send the dead sockets' FIN
        self.clear_up()
        # Open sockets can keep a dead host's network alive for minutes, and its cable with it.
        ask(self.lab.argv("ip", "link", "delete", link(self.name)), cgroups.SECONDS, "")

    def clear_up(self) -> None:
        """Nothing of the host runs any more, and its groups are gone."""
        self.group.kill()
        if self._power is not None:
            self._power.wait(cgroups.SECONDS)
        self.group.remove()

    def shut_down(self, seconds: float = 30.0) -> None:
        """Off, as a person would: units are stopped, file systems synced."""
        self.ask(("systemctl", "poweroff"), user="root")
        self.wait_until(lambda: not self.is_on, seconds, "off")
        self.clear_up()

    def freeze(self) -> None:
        """Every process stands still; clocks go on. Not a suspend: that stops MONOTONIC."""
        self.group.freeze(True)

    def thaw(self) -> None:
        self.group.freeze(False)

    # Network

    def unplug(self) -> None:
        """Pull the cable."""
        self.lab.run("ip", "link", "set", link(self.name), "down")

    def plug(self) -> None:
        self.lab.run("ip", "link", "set", link(self.name), "up")

    def cut(self, *to: str, one_way: bool = False) -> None:
        """Drop the packets to these hosts (or the box) and, unless `one_way`, those from them."""
        self.lab.cuts |= {(self.name, other) for other in to}
        self.lab.cuts |= set() if one_way else {(other, self.name) for other in to}
        self.lab.apply_cuts()

    def heal(self, *to: str) -> None:
        """End the cuts between this host and these others, or all of its cuts."""
        others = to or tuple(ADDRESSES)
        self.lab.cuts -= {(self.name, other) for other in others}
        self.lab.cuts -= {(other, self.name) for other in others}
        self.lab.apply_cuts()

    # Disk

    def fill_disk(self) -> None:
        """No byte and no file more."""
        found = os.statvfs(self.console)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize(str(used), str(found.f_files - found.f_ffree))

    def free_disk(self) -> None:
        self._resize(DISK, "0")

    def _resize(self, size: str, inodes: str) -> None:
        options = f"remount,size={size},nr_inodes={inodes}"
        self.lab.run("mount", "-o", options, str(self.disk))

    # Commands

    def argv(self, words: Sequence[str], user: str = cache.USER) -> tuple[str, ...]:
        """The command that runs `words` on the host, also when its network is cut."""
        init = self._init()
        ids = () if user == "root" else (f"--setuid={cache.UID}", f"--setgid={cache.UID}")
        kinds = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--time")
        home = "/" if user == "root" else ENVIRONMENT["HOME"]
        env = ("env", "-i", "-C", home, *(f"{k}={v}" for k, v in ENVIRONMENT.items()))
        return ("nsenter", f"--target={init}", *kinds, *ids, "--", *env, *words)

    def ask(
        self, words: Sequence[str], timeout: float = 20.0, user: str = cache.USER, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever it is; 124 when it took longer than `timeout`."""
        return ask(self.argv(words, user), timeout, given)

    def run(
        self, words: Sequence[str], timeout: float = 20.0, user: str = cache.USER, given: str = ""
    ) -> str:
        """Run a command and return its output. Raises Failed when it does not end with 0."""
        done = self.ask(words, timeout, user, given)
        if done.returncode:
            raise Failed(f"{self.name}: {shlex.join(words)}: {done.returncode}: {done.stderr}")
        return done.stdout

    def popen(
        self, words: Sequence[str], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a command and leave it running; its output is a pipe."""
        return subprocess.Popen(self.argv(words), stdin=stdin, stdout=subprocess.PIPE, bufsize=0)

    def systemctl(self, *words: str, timeout: float = 20.0) -> str:
        """`systemctl --user`, whatever its exit code says; returns its output."""
        return self.ask(("systemctl", "--user", *words), timeout).stdout.strip()

    def journal(self, lines: int = 40) -> str:
        """The end of the host's journal, for a test that failed."""
        words = ("journalctl", "-n", str(lines), "--no-pager", "-o", "short-precise")
        return self.ask(words, user="root").stdout

    # Seen from the box, whatever the host does

    def procs(self, unit: str) -> list[int]:
        """The processes of a unit of the user's systemd, by the box's numbers."""
        return cgroups.pids_below(self.group.unit_folder(unit, cache.UID))

    def listens(self, port: int) -> bool:
        """Whether something on the host listens on this port."""
        init = self.group.first_pid()
        return init is not None and is_listening(init, port)

    def has_address(self) -> bool:
        """Whether the host's network is configured."""
        init = self.group.first_pid()
        table = Path(f"/proc/{init}/net/fib_trie")
        return init is not None and table.exists() and f"-- {self.address}\n" in table.read_text()

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Ask until it is true; returns the seconds it took. Raises TimeoutError."""
        return wait_until(condition, seconds, f"{self.name}: {what}")
