"""The gateway unit's control group, read and killed without systemd's help or a process of ours."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .processes import read_stat, send


@cache
def _roots() -> tuple[Path, ...]:
    """Where this machine's control groups by unit are mounted: version 2 first, else systemd's."""
    found: dict[str, Path] = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            words = line.split()
            kind, options = words[words.index("-") + 1], words[-1]
            if kind == "cgroup2":
                found.setdefault("2", Path(words[4]))
            elif kind == "cgroup" and "name=systemd" in options.split(","):
                found.setdefault("1", Path(words[4]))
    return tuple(found[key] for key in sorted(found, reverse=True))


def unit_groups(unit: str) -> list[Path]:
    """The folders of a user unit of this user; none while it has no process and never had one.

    systemd puts user units into app.slice since version 247, before that beside it.
    """
    user = os.getuid()
    manager = f"user.slice/user-{user}.slice/user@{user}.service"
    places = (root / manager / part / unit for root in _roots() for part in ("app.slice", ""))
    return [place for place in places if place.is_dir()]


def group_pids(unit: str) -> list[int]:
    """Every process in the unit's group and in groups below it; a zombie is gone."""
    pids = {pid for group in unit_groups(unit) for pid in _pids_below(group)}
    return sorted(pid for pid in pids if read_stat(pid) is not None)


def is_populated(unit: str) -> bool:
    """Whether a process is left in the group: one small file in version 2."""
    for group in unit_groups(unit):
        try:
            if "populated 1" in (group / "cgroup.events").read_text():
                return True
        except OSError:
            if any(read_stat(pid) is not None for pid in _pids_below(group)):
                return True
    return False


def kill_group(unit: str) -> None:
    """SIGKILL to all of it at once, or, on a kernel before 5.14, one by one until none is left."""
    for group in unit_groups(unit):
        with contextlib.suppress(OSError), open(group / "cgroup.kill", "w") as switch:
            switch.write("1")
            continue
        for _ in range(20):  # a process may fork while its parent is being killed
            pids = [pid for pid in _pids_below(group) if read_stat(pid) is not None]
            if not pids:
                break
            send(pids, signal.SIGKILL)


def _pids_below(group: Path) -> Iterator[int]:
    for folder, _, files in os.walk(group):
        if "cgroup.procs" in files:
            with contextlib.suppress(OSError):  # it may go while it is read
                text = Path(folder, "cgroup.procs").read_text()
                yield from (int(pid) for pid in text.split())
