"""Where memory lies on this machine: the agents' workspaces, and the memory files in them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import BadInput, Failed
from .patterns import DEFAULT_PATTERNS, NEVER, is_memory, may_hold
from .states import SETTLE_NS, state_of

SETTINGS = "openclaw.json"
SETTLED = "settled: nobody wrote while this was read"  # the export's last line, after an rsync
OLDER_PREFIX = "agents."  # no agent id holds a dot, so this name cannot be taken by an agent
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def patterns_of(config: NodeConfig) -> tuple[str, ...]:
    """The site's patterns, or the defaults; what is never memory is always added."""
    return (config.patterns or DEFAULT_PATTERNS) + NEVER


def workspaces(config: NodeConfig) -> dict[str, Path]:
    """Agent -> its folder, from openclaw.json; the older `agents/<id>/` layout as `agents.<id>`.

    Raises Failed when openclaw.json is there and cannot be read.
    """
    settings = read_settings(config)
    found: dict[str, Path] = {}
    for agent, entry in _entries(settings).items():
        if not _AGENT.fullmatch(agent):
            raise Failed(f"openclaw.json: agent id {agent[:80]!r} is not one that OpenClaw allows")
        place = entry.get("workspace")
        folder = (
            _expand(config, place)
            if isinstance(place, str) and place
            else workspace_of_new(config, agent, settings)
        )
        if folder not in found.values():
            found[agent] = folder
    older = config.openclaw_home / "agents"
    for child in sorted(older.iterdir()) if older.is_dir() else []:
        holds = (child / "memory").is_dir() or (child / "MEMORY.md").is_file()
        if holds and _AGENT.fullmatch(child.name) and child not in found.values():
            found[OLDER_PREFIX + child.name] = child
    return found


def workspace_of(config: NodeConfig, agent: str) -> Path:
    """The folder of one agent, also of one that this machine's openclaw.json does not list yet.

    Raises BadInput for a name that can be no agent's.
    """
    name = agent[len(OLDER_PREFIX) :] if agent.startswith(OLDER_PREFIX) else agent
    if not _AGENT.fullmatch(name):
        raise BadInput(f"{agent[:80]!r} is no agent's name")
    if name != agent:
        return config.openclaw_home / "agents" / name
    return workspaces(config).get(agent) or workspace_of_new(config, agent, read_settings(config))


def workspace_of_new(config: NodeConfig, agent: str, settings: dict[str, Any]) -> Path:
    """Where OpenClaw puts an agent for which no workspace is written down."""
    if agent != "main":
        return config.openclaw_home / f"workspace-{agent}"
    for holder in (_folder(_folder(settings, "agents"), "defaults"), _folder(settings, "agent")):
        if isinstance(holder.get("workspace"), str):
            return _expand(config, holder["workspace"])
    return config.openclaw_home / "workspace"


def _folder(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _entries(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    agents = _folder(settings, "agents")
    entries: dict[str, dict[str, Any]] = {
        str(key): value
        for key, value in _folder(agents, "entries").items()
        if isinstance(value, dict)
    }
    listed = agents.get("list")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            entries.setdefault(entry["id"], entry)
    return entries or {"main": {}}


def _expand(config: NodeConfig, place: str) -> Path:
    if place == "~" or place.startswith("~/"):
        return config.home / place[2:]
    return config.openclaw_home / place  # an absolute place stays what it is


def read_settings(config: NodeConfig) -> dict[str, Any]:
    """openclaw.json as a dict; {} when there is none.

    Raises Failed, with line and column, when it is no JSON5 object.
    """
    file = config.openclaw_home / SETTINGS
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failed(f"{file} cannot be read: {error}") from None
    try:
        settings = json.loads(text)  # most files are plain JSON, which is read 100 times faster
    except ValueError:
        settings = _read_json5(text, file)
    if not isinstance(settings, dict):
        raise Failed(f"{file} must hold one object")
    return settings


def _read_json5(text: str, file: Path) -> Any:
    import json5

    try:
        return json5.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failed(f"{file} is not JSON5: {error}", "mend openclaw.json on this node") from None


def find_memory(root: Path, patterns: Sequence[str]) -> tuple[dict[str, os.stat_result], list[str]]:
    """Path from the workspace -> lstat of each memory file, and what is refused: links, specials.

    Nothing is followed: a symlinked folder is refused as a whole, as OpenClaw itself skips it.
    """
    files: dict[str, os.stat_result] = {}
    refused: list[str] = []
    for path, status in _walk(str(root), "", patterns):
        if stat.S_ISREG(status.st_mode):
            files[path] = status
        else:
            refused.append(path)
    return files, refused


def _walk(root: str, prefix: str, patterns: Sequence[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = sorted(os.scandir(os.path.join(root, prefix)), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if may_hold(path, patterns):
                yield from _walk(root, path + "/", patterns)
        elif is_memory(path, patterns) or (entry.is_symlink() and may_hold(path, patterns)):
            try:
                yield path, entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # vanished while we looked: OpenClaw is at work
                continue


def look(
    root: Path, patterns: Sequence[str], settle_ns: int = SETTLE_NS
) -> tuple[list[os.stat_result], list[str], str]:
    """lstat of each file of memory, the paths that are refused, and the `state_of` both."""
    now = time.time_ns()  # before: what is written while we look is newer
    files, refused = find_memory(root, patterns)
    seen = list(files.items())
    for path in refused:
        with contextlib.suppress(FileNotFoundError):
            seen.append((path, os.lstat(root / path)))
    return list(files.values()), refused, state_of(seen, now, settle_ns)


def memory_list(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{} -> {"agents": {id: {"workspace", "files", "bytes", "refused": [path]}}, "files", "bytes",
    "settings": whether there is an openclaw.json, "states": {agent or "openclaw.json": a hash that
    changes with any of it, "" when something changed just now}}.

    `refused` names symlinks and special files, which never travel. A workspace that is missing or
    matches nothing is listed with 0 files.
    """
    patterns, settings = patterns_of(config), config.openclaw_home / SETTINGS
    agents, states = {}, dict[str, str]()
    if settings.is_file():  # first: what is read of it must not be newer than what is hashed
        states[SETTINGS] = state_of([(SETTINGS, settings.stat())], time.time_ns())
    for agent, folder in workspaces(config).items():
        files, refused, states[agent] = look(folder, patterns)
        agents[agent] = {
            "workspace": str(folder),
            "files": len(files),
            "bytes": sum(status.st_size for status in files),
            "refused": refused,
        }
    return {
        "agents": agents,
        "files": sum(int(str(a["files"])) for a in agents.values()),
        "bytes": sum(int(str(a["bytes"])) for a in agents.values()),
        "settings": settings.is_file(),
        "states": states,
    }


def memory_base(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"of": peer} -> {"snapshot": id or null, "epoch": int or null, "without": [path]}.

    The last snapshot originated by `of` that THIS node has applied; it lies in this node's own
    memory store and is the base of the merge when the roles have changed. `without` are files of
    it that this node could not take in; they are no part of the base.
    """
    from .shelf import open_shelf, read_applied

    applied = read_applied(open_shelf(config, "memory")).get(p.name(params, "of"), {})
    return {
        "snapshot": applied.get("snapshot"),
        "epoch": applied.get("epoch"),
        "without": applied.get("without", []),
    }
