"""`joe.pyz export`: the only thing that a peer's pull key can do here: read one exported folder.

The command that the peer's rsync sends names an export, never a folder of this machine:
`[t<seconds>/]memory/<agent>/`, `[t<seconds>/]settings/openclaw.json`,
`[t<seconds>/]store/<store>/<snapshot>/...`, `[t<seconds>/]offer/<store>/` or
`[t<seconds>/]stage/<source>/...`. Everything else is one line on stderr and exit code 2.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from . import params as p
from .config import NodeConfig
from .errors import BadInput, NodeError
from .memory import SETTINGS, workspaces
from .shelf import OFFER
from .sources import is_source

LONGEST_SECONDS = 6 * 3600
DEFAULT_SECONDS = 600

# Options are rrsync's to judge; here only the path is. A name outside this alphabet cannot be an
# export, so neither quoting nor wildcards can ever reach a shell or a glob.
_COMMAND = re.compile(r"(rsync --server --sender [^\n]*? \. )([A-Za-z0-9._/-]+)")
_STORE_PATH = re.compile(rf"({p.STORE})/({p.SNAPSHOT})/(tree/?|manifest\.json)")
_DEADLINE = re.compile(r"t([1-9]\d{0,4})/")


def export(config: NodeConfig) -> int:
    """Serve the one rsync that SSH_ORIGINAL_COMMAND asks for; does not return when it does."""
    try:
        seconds, folder, command = parse_request(config, os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except Exception as error:  # whatever went wrong: one line, and nothing was read
        said = error.message if isinstance(error, NodeError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"export: {said}\n")
        return 2
    os.environ["SSH_ORIGINAL_COMMAND"] = command
    argv = ("timeout", "-k", "10", str(seconds), "rrsync", "-ro", str(folder))
    try:
        os.execvp("timeout", argv)  # noqa: S606 - exec is the point: no shell, no parent left
    except OSError as error:
        sys.stderr.write(f"export: rrsync cannot be run: {error}\n")
        return 2


def parse_request(config: NodeConfig, command: str) -> tuple[int, Path, str]:
    """The peer's command -> (deadline in seconds, real folder, command relative to that folder).

    Raises BadInput for anything that names no export of this machine.
    """
    match = _COMMAND.fullmatch(command)
    if not match:
        raise BadInput("only rsync may read here, and only an export")
    options, path = match.groups()
    seconds = DEFAULT_SECONDS
    limit = _DEADLINE.match(path)
    if limit:
        seconds, path = min(int(limit.group(1)), LONGEST_SECONDS), path[limit.end() :]
    folder, rest = find_export(config, path)
    if not folder.is_dir():
        raise BadInput(f"{path[:200]} is not there")
    return seconds, folder.resolve(), f"{options}{rest}"


def find_export(config: NodeConfig, path: str) -> tuple[Path, str]:
    """An export's path -> its folder on this machine and what is asked for inside."""
    kind, _, rest = path.partition("/")
    if kind == "memory":
        folder = workspaces(config).get(rest.rstrip("/"))
        if folder:
            return folder, "./"
    elif path == f"settings/{SETTINGS}":
        return config.openclaw_home, SETTINGS
    elif kind == "store":
        match = _STORE_PATH.fullmatch(rest)
        if match:
            store, snapshot, inside = match.groups()
            return config.stores / store / "snaps" / snapshot, _inside(inside)
    elif kind == "offer":
        store = rest.rstrip("/")
        if re.fullmatch(p.STORE, store):
            return config.stores / store / OFFER, "./"
    elif kind == "stage":
        source, _, inside = rest.partition("/")
        if is_source(config, source) and inside in ("tree", "tree/", "manifest.json"):
            return config.state / "stage" / source / "current", _inside(inside)
    raise BadInput(f"{path[:200]} is not exported here")


def _inside(inside: str) -> str:
    return inside if inside == "manifest.json" else "tree/"
