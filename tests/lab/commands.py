"""Commands of the lab on the box, and what the box's kernel shows of a host's network."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

SECONDS = 30.0


class Failed(AssertionError):
    """A command in the lab did not end with 0."""


def run(argv: Sequence[str], given: str = "") -> str:
    """Run a command on the box and return its output. Raises Failed."""
    done = subprocess.run(argv, input=given, text=True, capture_output=True, timeout=SECONDS)
    if done.returncode:
        raise Failed(f"{shlex.join(argv)}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def ask(argv: Sequence[str], timeout: float, given: str) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever comes of it; 124 when it took longer than `timeout`."""
    try:
        return subprocess.run(argv, input=given, text=True, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"not ended after {timeout} s")


def is_listening(pid: int, port: int) -> bool:
    """Whether somebody listens on a port in the network of this process."""
    ending = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return False
        for fields in map(str.split, lines):
            if fields[3] == "0A" and fields[1].endswith(ending):
                return True
    return False


def name_of(pid: str) -> str:
    """The short name of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def read_line(stream: IO[bytes] | None) -> str:
    """The next line of a pipe. Raises Failed when there is no pipe."""
    if stream is None:
        raise Failed("no pipe to read")
    return stream.readline().decode().strip()
