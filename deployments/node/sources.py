"""The sources of backups: T440's containers, and under its own name what T440 itself is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .config import NodeConfig, config_file
from .durable import write_durably
from .errors import BadInput, Refused

# Votes are not among them: one that is put back could be lent twice.
KEPT = ("record.json", "journal.jsonl", "history.json", "pause.json")
TEXTS = ("site.yaml",)
LONGEST_TEXT = 1 << 20


def is_source(config: NodeConfig, name: str) -> bool:
    """Whether this machine has a source of this name."""
    return name in config.sources or _is_itself(config, name)


def find_source(config: NodeConfig, name: str, texts: Mapping[str, str]) -> Path:
    """The folder to copy; `texts` belong to the source that is the machine itself.

    Raises BadInput when there is no such source, Refused when it is missing or empty.
    """
    if _is_itself(config, name):
        return gather(config, texts)
    if name not in config.sources:
        raise BadInput(f"{config.name} has no source {name}")
    source = config.sources[name]
    if not source.is_dir() or not os.listdir(source):
        raise Refused(f"{source} is missing or empty", "mount it, or take it out of the site file")
    return source


def _is_itself(config: NodeConfig, name: str) -> bool:
    return name == config.name and not config.is_node


def gather(config: NodeConfig, texts: Mapping[str, str]) -> Path:
    """Bring `own/` of the state folder up to date, and return it: the watchdog's files, its
    node.json, and the given texts by name.

    A file that has not changed is not written again, so that its last copy is linked. Raises
    BadInput for a text of another name.
    """
    wanted = {name: _read(config.state / name) for name in KEPT}
    wanted["node.json"] = _read(config_file())
    for name, text in texts.items():
        if name not in TEXTS or len(text) > LONGEST_TEXT:
            raise BadInput(f'"texts" may hold {", ".join(TEXTS)} alone')
        wanted[name] = text.encode()
    folder = config.state / "own"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in set(os.listdir(folder)) - {name for name, data in wanted.items() if data}:
        (folder / name).unlink()
    for name, data in wanted.items():
        if data and _read(folder / name) != data:
            write_durably(folder / name, data)
    return folder


def _read(file: Path) -> bytes:
    """The content, or nothing when there is no such file."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
