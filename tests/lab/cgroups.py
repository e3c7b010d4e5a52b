"""One host's processes as the box's kernel groups them: counted, frozen and killed from outside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from deployments.demo.processes import wait_until

ROOT = Path("/sys/fs/cgroup")
# On a hybrid box the second hierarchy is what systemd inside a host finds its own units by.
UNIFIED = ROOT / "unified" if (ROOT / "unified").is_dir() else ROOT
TREES = (UNIFIED, *(tree for tree in (ROOT / "systemd",) if tree.is_dir()))
PREFIX = "dualjoe-lab-"
USER_UNITS = "payload/user.slice/user-{uid}.slice/user@{uid}.service/app.slice"
SECONDS = 10.0


def why_not() -> Iterator[str]:
    """What the box's cgroups lack."""
    if not (UNIFIED / "cgroup.controllers").exists():
        yield f"there is no cgroup2 hierarchy at {UNIFIED}"
    elif not os.access(UNIFIED / "cgroup.procs", os.W_OK):
        yield f"{UNIFIED} cannot be written"


class Group:
    """The group of one host. `owner` is the pid of the lab's holder, `name` the host's."""

    def __init__(self, owner: int, name: str) -> None:
        self.name = f"{PREFIX}{owner}-{name}"
        self.folder = UNIFIED / self.name

    def entering(self) -> str:
        """A shell text that puts the shell itself into the group."""
        folders = " ".join(str(tree / self.name) for tree in TREES)
        return f'for g in {folders}; do mkdir -p "$g"; echo 0 >"$g/cgroup.procs"; done'

    def pids(self) -> list[int]:
        """Every process of the host, by the box's numbers."""
        return pids_below(self.folder)

    def first_pid(self) -> int | None:
        """The host's own init, or None while there is none."""
        found = read_pids(self.folder / "payload/init.scope/cgroup.procs")
        return found[0] if found else None

    def unit_folder(self, unit: str, uid: int) -> Path:
        """Where the processes of a unit of the user's manager are."""
        return self.folder / USER_UNITS.format(uid=uid) / unit

    def freeze(self, on: bool) -> None:
        """Stop every process of the host where it is, or let them go on."""
        (self.folder / "cgroup.freeze").write_text("1" if on else "0")
        wanted = f"frozen {int(on)}"
        events = self.folder / "cgroup.events"
        wait_until(lambda: wanted in events.read_text(), SECONDS, f"{self.name}: {wanted}")

    def kill(self) -> None:
        """SIGKILL to every process at once, also to frozen ones; returns when none is left."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "cgroup.kill").write_text("1")
        wait_until(lambda: not self.pids(), SECONDS, f"{self.name}: no process left")

    def remove(self) -> None:
        """Remove the empty groups; one is empty only once its last process has been reaped."""
        wait_until(lambda: not remove_empty(self.name), SECONDS, f"{self.name}: groups removed")


def read_pids(file: Path) -> list[int]:
    """The pids in a cgroup.procs; none when the group is gone."""
    try:
        return [int(pid) for pid in file.read_text().split()]
    except OSError:
        return []


def pids_below(folder: Path) -> list[int]:
    """The pids of a group and of all groups in it."""
    return [
        pid for place, _, _ in os.walk(folder) for pid in read_pids(Path(place, "cgroup.procs"))
    ]


def remove_empty(name: str) -> list[Path]:
    """Remove a host's groups as far as they are empty; returns those that are left."""
    left = []
    for tree in TREES:
        for place, _, _ in os.walk(tree / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(place).rmdir()
        if (tree / name).exists():
            left.append(tree / name)
    return left


def sweep() -> list[str]:
    """Remove the empty groups of labs whose holder is gone, and name them."""
    swept = []
    for folder in UNIFIED.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).split("-")[0]
        if not Path("/proc", owner).exists() and not pids_below(folder):
            remove_empty(folder.name)
            swept.append(folder.name)
    return swept
