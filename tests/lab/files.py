"""Where things are on a lab's host, and how a test writes a file there."""

from __future__ import annotations

import json
import os

from tests.lab import cache
from tests.lab.hosts import Host

SOURCE = "/opt/source"  # where the hosts see this project: the stand-in OpenClaw, and the flows
LIBRARIES = "/opt/libraries"
HOME = f"/home/{cache.USER}"
OWN = f"{HOME}/.dualjoe"
JOE = f"{OWN}/joe.pyz"


def as_json(value: object) -> str:
    """A file's content."""
    return json.dumps(value, indent=2) + "\n"


def put(host: Host, place: str, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file of the host's user, with the folders above it; whole or not at all."""
    file = host.files / place.lstrip("/")
    made = [folder for folder in reversed(file.parents) if not folder.exists()]
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(content.encode() if isinstance(content, str) else content)
    beside.chmod(mode)
    for part in (*made, beside):
        os.chown(part, cache.UID, cache.UID)
    beside.replace(file)
