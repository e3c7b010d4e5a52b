"""Ground truth of "never two gateways": the process table, sampled every 20 ms.

By a process of its own, so that a busy demo leaves no gaps. Independent of what nodes, ports and
Telegram say; a stopped (frozen) gateway counts as running. Stdlib, Python >= 3.9.
Its log: a JSON line a change, {t, machines: {name: [pids]}}, and the totals at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .launch import module_argv
from .processes import all_pids, read_command, read_marker, read_process

SAMPLE_SECONDS = 0.02
# A process may become a gateway by exec: a young one is looked at again at each sample, an old one
# now and then.
YOUNG_SECONDS = 0.5
SECOND_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Report:
    """What was seen: `both` counts the samples with a gateway on more than one machine.

    `changes` are the lines of the log; `longest_gap_seconds` is between two samples.
    """

    samples: int
    both: int
    longest_gap_seconds: float
    changes: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        return (
            f"{self.samples} samples, {self.both} with two gateways,"
            f" longest gap {self.longest_gap_seconds * 1000:.0f} ms"
        )


class Watch:
    """Which machines below `root` run a gateway now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._looked: dict[
            int, tuple[float, float, str]
        ] = {}  # pid: first seen, looked at, machine

    def sample(self, now: float) -> dict[str, list[int]]:
        """Machine -> pids of its gateway processes; a machine without one is left out."""
        found: dict[str, list[int]] = {}
        pids = all_pids()
        for gone in self._looked.keys() - set(pids):
            del self._looked[gone]
        for pid in pids:
            machine = self._machine(pid, now)
            if machine and read_process(pid) is not None:  # a zombie is gone
                found.setdefault(machine, []).append(pid)
        return found

    def _machine(self, pid: int, now: float) -> str:
        """The machine whose gateway the process is, or ""; from memory while that is safe."""
        first_seen, looked, machine = self._looked.get(pid, (now, 0.0, ""))
        if now - first_seen < YOUNG_SECONDS or now - looked > SECOND_LOOK_SECONDS:
            machine = identify(pid, self.root)
            self._looked[pid] = (first_seen, now, machine)
        return machine


def identify(pid: int, root: Path) -> str:
    """The machine below `root` whose gateway the process is, or "".

    By command line, and by the marker in its environment; without one, by the marker of an
    ancestor or by the path of its program.
    """
    words = read_command(pid).split()
    programs = [n for n, word in enumerate(words) if Path(word).name == "openclaw"]
    if not any(words[n + 1 : n + 3] == ["gateway", "run"] for n in programs):
        return ""
    ancestor: int | None = pid
    while ancestor:
        marker = read_marker(ancestor)
        if marker and Path(marker).parent == root:
            return Path(marker).name
        process = read_process(ancestor)
        ancestor = process.parent if process else None
    for n in programs:
        if words[n].startswith(f"{root}/"):
            return words[n][len(f"{root}/") :].split("/")[0]
    return ""


def main(argv: Sequence[str]) -> int:
    """[root, pid of the starter]: sample until SIGTERM or until the starter is gone.

    Its pid is told: it may be gone before this program has begun.
    """
    watch, starter = Watch(Path(argv[0])), int(argv[1])
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ending.append(number))
    with contextlib.suppress(OSError):  # root only: sample also while the machine is busy
        os.nice(-10)
    samples, both, longest, last = 0, 0, 0.0, 0.0
    before: dict[str, list[int]] | None = None
    while not ending and os.getppid() == starter:
        now = time.monotonic()
        longest, last = max(longest, now - last if last else 0.0), now
        machines = watch.sample(now)
        samples, both = samples + 1, both + (len(machines) > 1)
        if machines != before:
            print(json.dumps({"t": time.time(), "machines": machines}), flush=True)
            before = machines
        time.sleep(max(0.0, now + SAMPLE_SECONDS - time.monotonic()))
    totals = {"samples": samples, "both": both, "longest_gap_seconds": longest}
    print(json.dumps(totals), flush=True)
    return 0


class Witness:
    """Watches the machines below `root` from construction to stop(); its log is `log`."""

    def __init__(self, root: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            words = (str(root.resolve()), str(os.getpid()))
            argv = module_argv("deployments.demo.witness", *words)
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True
            )

    def changes(self) -> list[dict[str, Any]]:
        """Every change so far; the last one is how it is now."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if "machines" in line]

    def stop(self) -> Report:
        """End the watch and report. Raises RuntimeError when the witness had died."""
        self._process.terminate()
        self._process.wait(timeout=10)
        lines = self.log.read_text().splitlines()
        totals = json.loads(lines[-1]) if lines else {}
        if "samples" not in totals:
            raise RuntimeError(f"the witness died, exit code {self._process.returncode}")
        return Report(**totals, changes=tuple(self.changes()))

    def __enter__(self) -> Witness:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
