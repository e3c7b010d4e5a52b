"""What guard, fuse, voter and ssh cost a node while nothing happens."""

from __future__ import annotations

from pathlib import Path

from deployments.demo.processes import process_table, wait_until

from .terms_ground import SECONDS, Terms, boottime, terms

MEASURED_SECONDS = 20.0
MOST_CPU = 0.01  # of a core
MOST_PSS_KIB = 60 * 1024
OURS = ("guard", "fuse", "answer")


def ours(ground: Terms, name: str) -> list[int]:
    """Guard, fuse, the voter's answers, the ssh clients, and the sshd of those who ask."""
    machine = ground.three.machines[name]
    joe, table, found = str(ground.three.joe(name)), process_table(), []
    for pid in machine.pids():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        is_joe = joe in words and words[words.index(joe) + 1] in OURS and "-c" not in words
        if is_joe or table[pid].name in ("ssh", "sshd"):
            found.append(pid)
    return found


def fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def cpu_seconds(pid: int) -> float:
    """By the scheduler's own count, in nanoseconds; /proc/PID/stat counts ticks of 10 ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def children_faults(pid: int) -> int:
    """Page faults of children that were waited for: no process is started without any."""
    return int(fields(pid)[8])


def test_on_both_nodes_it_is_less_than_1_percent_and_60_mb_and_no_process() -> None:
    with terms(real_times=True) as ground:
        pids = {name: ours(ground, name) for name in ground.three.nodes}
        assert all(len(found) >= 6 for found in pids.values()), pids
        before = {pid: cpu_seconds(pid) for found in pids.values() for pid in found}
        faults = {pid: children_faults(pid) for pid in before}
        until = boottime() + MEASURED_SECONDS
        wait_until(lambda: boottime() >= until, MEASURED_SECONDS + SECONDS, "a while has passed")
        for name, found in pids.items():
            cpu = sum(cpu_seconds(pid) - before[pid] for pid in found) / MEASURED_SECONDS
            pss = sum(map(pss_kib, found))
            print(f"{name}: {cpu:.2%} of a core, {pss / 1024:.1f} MB PSS in {len(found)} processes")
            assert cpu <= MOST_CPU
            assert pss <= MOST_PSS_KIB
            assert ours(ground, name) == found, "the same processes as before"
        assert {pid: children_faults(pid) for pid in before} == faults, "and none in between"
