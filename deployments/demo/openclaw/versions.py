"""How the stand-in writes a memory file: no version without its copy in the ledger, ever.

The ledger is a folder outside all homes: `ledger.jsonl` and `versions/<sha256>`. Two lines a
version: "kept" (its copy is durable, the live file still the old one) and "live" (renamed into
place). A kill between them leaves "kept" alone: such a version may or may not be live.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ledger:
    """Where the versions of one node's agents are logged; without a folder nothing is."""

    folder: Path | None
    node: str

    def write(self, agent: str, workspace: Path, path: str, content: bytes) -> str:
        """Log the version, then rename it into place; return its sha256."""
        live = workspace / path
        previous = self._keep(live.read_bytes()) if live.exists() else None
        sha256 = self._keep(content)
        version = {"agent": agent, "path": path, "sha256": sha256, "previous": previous}
        self._log("kept", version)
        live.parent.mkdir(parents=True, exist_ok=True)
        write_durably(live, content)
        self._log("live", version)
        return sha256

    def _keep(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        if self.folder is not None:
            copy = self.folder / "versions" / sha256
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                write_durably(copy, content)
        return sha256

    def _log(self, event: str, version: dict[str, str | None]) -> None:
        if self.folder is None:
            return
        line = {"t": round(time.time(), 3), "event": event, "node": self.node, **version}
        # One write a line, appended: two nodes' lines never mix.
        log = os.open(self.folder / "ledger.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(log, json.dumps(line).encode() + b"\n")
            os.fsync(log)
        finally:
            os.close(log)


def write_durably(file: Path, content: bytes) -> None:
    """Write beside, fsync, rename: the file is the old or the new one, never half."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with beside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
