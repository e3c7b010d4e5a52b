"""What an rsync said: its statistics, its exit code and its last words, made out."""

from __future__ import annotations

import re
from dataclasses import dataclass

IDLE_SECONDS = 60


@dataclass(frozen=True)
class Pass:
    """What one rsync run did: items changed, names skipped, totals of the source's file list,
    whether the peer says that nobody wrote meanwhile, and what was transferred."""

    changed: int
    skipped: tuple[str, ...]
    files: int
    bytes: int
    vanished: bool = False
    settled: bool = False
    new_files: int = 0
    new_bytes: int = 0


TIMED_OUT_BY_KILL, KILLED = 137, -9

_MEANING = {
    KILLED: "rsync was killed, by this machine or for want of memory",
    11: "no room or no permission on this machine",
    12: "the peer ended the transfer",
    20: "stopped by a signal",
    23: "some files could not be read or written",
    30: f"nothing moved for {IDLE_SECONDS} s",
    124: "the deadline passed",
    TIMED_OUT_BY_KILL: "the deadline passed",
    255: "the peer cannot be reached by ssh",
}


def is_not_exported(stderr: str) -> bool:
    """Whether the peer's export refused to serve."""
    return any(line.startswith("export: ") for line in stderr.splitlines())


def explain(code: int, stderr: str) -> str:
    """rsync's exit code and its last words as one sentence."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("rsync error:")] or lines
    what = _MEANING.get(code, f"rsync ended with code {code}")
    if is_not_exported(stderr):
        what = "the peer does not export this"
    elif any("(0 bytes received so far)" in line for line in said):
        what = _MEANING[255]  # ssh said why; rsync itself only noticed that nothing came
    return f"{what} (rsync {code}): " + " | ".join(said[-3:])[:600]


_TOTAL_FILES = re.compile(r"^Number of files: \d+ \(reg: (\d+)", re.M)
_TOTAL_BYTES = re.compile(r"^Total file size: (\d+)", re.M)
_NEW_FILES = re.compile(r"^Number of regular files transferred: (\d+)", re.M)
_NEW_BYTES = re.compile(r"^Total transferred file size: (\d+)", re.M)
_SKIPPED = re.compile(r'^skipping non-regular file "(.*)"$', re.M)
_ITEM = re.compile(r"^(?:[<>ch.*][fdLDS][^ ]{9}|\*deleting.*)$", re.M)


def parse_pass(output: str) -> Pass:
    """rsync's standard output -> what it did; names are escaped by rsync, one line each."""

    def number(pattern: re.Pattern[str]) -> int:
        found = pattern.search(output)
        return int(found.group(1)) if found else 0

    return Pass(
        changed=len(_ITEM.findall(output)),
        skipped=tuple(_SKIPPED.findall(output)),
        files=number(_TOTAL_FILES),
        bytes=number(_TOTAL_BYTES),
        new_files=number(_NEW_FILES),
        new_bytes=number(_NEW_BYTES),
    )
