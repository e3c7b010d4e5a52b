"""What the benchmark ran on: the machine, and the versions of what was measured."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from deployments.demo.openclaw import VERSION
from tests.lab.cache import LabImpossible, openclaw


@dataclass(frozen=True)
class Programs:
    """The real OpenClaw with its node, where npm has brought it; else the stand-in.

    `openclaw` says in words which one; `why_not` why it is not the real one.
    """

    openclaw: str
    node: str = ""
    entry: str = ""
    why_not: str = ""

    @property
    def is_real(self) -> bool:
        return bool(self.entry)


def find_programs() -> Programs:
    """The real OpenClaw of the lab, made when it is not there and can be."""
    try:
        folder = openclaw()
    except LabImpossible as error:
        return Programs("the stand-in", why_not=str(error))
    package = folder / "node_modules" / "openclaw"
    found = re.search(r'"version": *"([^"]+)"', (package / "package.json").read_text())
    words = f"the real OpenClaw {found[1] if found else ''}"
    return Programs(words, str(folder / "bin" / "node"), str(package / "openclaw.mjs"))


def machine() -> str:
    """Cores, model of the CPU, memory and kernel, in one line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores of {name}, {memory:.0f} GB, Linux {platform.release()}"


def versions(programs: Programs) -> str:
    """What was measured, in one line."""
    parts = [
        f"Python {platform.python_version()}",
        f"Prefect {version('prefect')}",
        f"rsync {_said('rsync', '--version')}",
        f"OpenSSH {_said('ssh', '-V')}",
    ]
    if programs.is_real:
        parts += [programs.openclaw.removeprefix("the real ")]
        parts += [f"Node {_said(programs.node, '--version')}"]
    else:
        parts += [f"a stand-in for OpenClaw {VERSION} ({programs.why_not})"]
    return ", ".join(parts)


def _said(*argv: str) -> str:
    """The version that a program says it has, or "?"."""
    done = subprocess.run(argv, capture_output=True, text=True)
    found = re.search(r"\d[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "?"
