"""`joe.pyz export`: the only thing that a peer's pull key can do here: read one exported folder.

The command that the peer's rsync sends names an export, never a folder of this machine:
`[t<seconds>/]memory/<agent>/`, `[t<seconds>/]settings/openclaw.json`,
`[t<seconds>/]store/<store>/<snapshot>/...`, `[t<seconds>/]offer/<store>/` or
`[t<seconds>/]stage/<source>/...`. Everything else is one line on stderr and exit code 2. Of
`stage/<source>/` the peer may name the paths that it wants.

Memory is read while an agent may write it. Whether it did is told in a last line, SETTLED or none,
so that the peer needs no second rsync to find out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from . import params as p
from .config import NodeConfig
from .errors import BadInput, NodeError
from .memory import SETTINGS, SETTLED, look, patterns_of, workspaces
from .shelf import OFFER
from .sources import is_source
from .states import TICK_NS

LONGEST_SECONDS = 6 * 3600
DEFAULT_SECONDS = 600
MEMORY = "memory/"
BOTH = "tree manifest.json"
FILES_FROM = "--files-from=-"

# Options are rrsync's to judge; here only the path is. A name outside this alphabet cannot be an
# export, so neither quoting nor wildcards can ever reach a shell or a glob.
_COMMAND = re.compile(r"(rsync --server --sender [^\n]*? \. )([A-Za-z0-9._/-]+)")
_STORE_PATH = re.compile(rf"({p.STORE})/({p.SNAPSHOT})/(tree/?|manifest\.json|)")
_DEADLINE = re.compile(r"t([1-9]\d{0,4})/")


class Request(NamedTuple):
    """One rsync to serve: deadline in seconds, a real folder, the command relative to it, and
    whether the folder is a workspace.
    """

    seconds: int
    folder: Path
    command: str
    is_memory: bool


def export(config: NodeConfig) -> int:
    """Serve the one rsync that SSH_ORIGINAL_COMMAND asks for; does not return when it is no
    memory's.
    """
    try:
        request = parse_request(config, os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except Exception as error:  # whatever went wrong: one line, and nothing was read
        said = error.message if isinstance(error, NodeError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"export: {said}\n")
        return 2
    os.environ["SSH_ORIGINAL_COMMAND"] = request.command
    argv = ("timeout", "-k", "10", str(request.seconds), "rrsync", "-ro", str(request.folder))
    try:
        if request.is_memory:
            return _watch(argv, request.folder, patterns_of(config))
        os.execvp("timeout", argv)  # noqa: S606 - exec is the point: no shell, no parent left
    except OSError as error:
        sys.stderr.write(f"export: rrsync cannot be run: {error}\n")
        return 2


def _watch(argv: tuple[str, ...], folder: Path, patterns: Sequence[str]) -> int:
    """Run it; SETTLED is the last line when no file of memory was written from before to after."""
    before = look(folder, patterns, TICK_NS)[2]
    child = os.posix_spawnp(argv[0], argv, os.environ)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0 and before and look(folder, patterns, 0)[2] == before:
        sys.stderr.write(f"{SETTLED}\n")
    return code if code >= 0 else 128 - code


def parse_request(config: NodeConfig, command: str) -> Request:
    """The peer's command as a Request; raises BadInput when it names no export of this machine."""
    match = _COMMAND.fullmatch(command)
    if not match:
        raise BadInput("only rsync may read here, and only an export")
    options, path = match.groups()
    seconds = DEFAULT_SECONDS
    limit = _DEADLINE.match(path)
    if limit:
        seconds, path = min(int(limit.group(1)), LONGEST_SECONDS), path[limit.end() :]
    folder, rest = find_export(config, path)
    if FILES_FROM in options.split():
        if rest != BOTH or not path.startswith("stage/"):
            raise BadInput("paths may be named of a staged copy alone")
        rest = "./"
    if not folder.is_dir():
        raise BadInput(f"{path[:200]} is not there")
    return Request(seconds, folder.resolve(), f"{options}{rest}", path.startswith(MEMORY))


def find_export(config: NodeConfig, path: str) -> tuple[Path, str]:
    """An export's path -> its folder on this machine and what is asked for inside."""
    kind, _, rest = path.partition("/")
    if path.startswith(MEMORY):
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
        if is_source(config, source) and inside in ("tree", "tree/", "manifest.json", ""):
            return config.state / "stage" / source / "current", _inside(inside)
    raise BadInput(f"{path[:200]} is not exported here")


def _inside(inside: str) -> str:
    """The tree, its manifest, or both beside each other and nothing else that lies there."""
    return {"": BOTH, "manifest.json": "manifest.json"}.get(inside, "tree/")
