"""The text of docs/benchmarks.md. Pure; the numbers come from the run that writes it."""

from __future__ import annotations

from collections.abc import Mapping

TEXT = """\
# Benchmarks

Written by `{command}`, in one run; do not edit.

{facts}

{table}
"s" is seconds of wall or of CPU, as the row says. A goal is met by the median, or by the share of
the runs that it names.

- **Machines.** The three machines are the demo's, on one machine: an sshd, guard, fuse and voter
  each, at the real times, and a stand-in gateway that is quiet. T440 has a real Prefect server on
  SQLite and both workers, with the settings of `deployments/prefect.env`.
- **CPU** is user and system time of every process of a machine, ended children included, from
  `/proc/PID/stat`. One thing more costs what a span with it costs beyond the median of equal spans
  without it, so guards, voters and idle servers are not in it; in "everything" they are. Requests
  by which the benchmark orders its runs are in it.
- **Without notice.** Both kinds of runs are ordered in the moment in which they are due. T440's
  voter wakes the worker of checks, and so does the benchmark; a process worker asks every 10 s.
  With notice, as by a schedule, it starts a run's process up to 3 s before its time.
- **A check** looks at both nodes. **The original way** looks at one, and has neither a schedule nor
  a record of it: only the ssh client counts on T440. Its gateway runs without systemd.
- **The full schedule** adds to the measured spans with a check every 30 s, by calculation, the
  measured cost of 12 syncs and of two backups an hour.
- **restic and borg**, from Debian, work on a folder of the same disk: neither goes over ssh, and
  both keep what only they can read. Where one is not installed it has no row.
- **Copies** go over ssh on loopback. Ours also validate, hash, publish and apply what came; the raw
  rsync overwrites its target in place. Before each backup what the others wrote is on disk: ours
  waits until its own is, and would wait for theirs.
"""


def make_document(times: int, facts: Mapping[str, str], table: str) -> str:
    """The whole text; `times` is the number of samples, `facts` are lines with a name each."""
    more = "" if times == 5 else f" BENCH='--times {times}'"
    lines = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return TEXT.format(command=f"make bench{more}", facts=lines, table=table)
