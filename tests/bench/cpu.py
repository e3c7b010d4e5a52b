"""CPU time of a demo machine's programs, from /proc; their children count, ended or not."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

from deployments.demo.machine import Machine
from deployments.demo.processes import descendants, process_table, read_command

TICK = os.sysconf("SC_CLK_TCK")
# What a program of a machine's init has in its command line -> the role that it plays there
ROLES = {
    "deployments.server": "server",
    "--pool watch": "worker",
    "--pool data": "worker of copies",
    "sshd": "ssh",
}
OTHER = "other"


def read_roles(machine: Machine) -> dict[str, float]:
    """Role -> CPU seconds since its start, with all its children: `ssh` is sshd, its sessions and
    what they ran (joe.pyz; on T440 the voter), `other` is the rest of the machine.

    The kernel counts a process that ended at the parent that waited for it, so nothing is lost.
    """
    table = process_table()
    init = machine.pids()[0]
    found = {OTHER: cpu_seconds(init)}
    for child in [pid for pid, process in table.items() if process.parent == init]:
        tree = (child, *descendants(child, table))
        role = role_of(read_command(child))
        found[role] = found.get(role, 0.0) + sum(map(cpu_seconds, tree))
    return found


def role_of(command: str) -> str:
    """The role of a program that a machine's init started."""
    return next((role for words, role in ROLES.items() if words in command), OTHER)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that were waited for; 0 when gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text[text.rindex(")") + 2 :].split()
    return sum(map(int, fields[11:15])) / TICK


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Role -> CPU seconds between two readings."""
    return {role: after[role] - before.get(role, 0.0) for role in after}


def own_children() -> float:
    """CPU seconds of this process's own children that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
