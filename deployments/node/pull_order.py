"""The parameters of `store pull`, read and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import params as p
from .config import NodeConfig
from .errors import BadInput
from .manifest import MANIFEST
from .memory import SETTINGS, patterns_of
from .space import Size

SETTINGS_EXPORT = f"settings/{SETTINGS}"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_EXPORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,300}")


class Order(NamedTuple):
    """Whose data it is, under which epoch it was pulled, and for which tier."""

    origin: str
    epoch: int
    tier: str


class PullOrder(NamedTuple):
    """`parts`: folder in the tree -> export path. `wanted`: those and openclaw.json, if it shall
    come. `states`: the same names -> what the source told of each and what is taken of it, in one
    hash. `patterns` are those of a memory. `state` is the id of the staged copy, `since` that of
    the one which it changes by `touched` and `gone`; `publish` is None when it is not to be
    published.
    """

    store: str
    peer: str
    parts: dict[str, str]
    wanted: dict[str, str]
    states: dict[str, str]
    is_memory: bool
    patterns: tuple[str, ...]
    check: str
    size: Size | None
    state: str
    since: dict[str, str]
    touched: list[str]
    gone: list[str]
    is_kept: bool
    seconds: float
    publish: Order | None


def read_pull_order(config: NodeConfig, params: dict[str, Any]) -> PullOrder:
    """Raises BadInput with the name of what is missing or malformed."""
    store, parts = p.store(params), _parts(params)
    check = p.text(params, "check")
    if check and (not _EXPORT.fullmatch(check) or parts != {"": tree_beside(check)}):
        raise BadInput('"check" must be the export path of a manifest, and its tree the only part')
    is_memory = p.flag(params, "memory") or store == "memory"
    patterns = tuple(patterns_of(config)) if is_memory else ()
    wanted = {**parts, SETTINGS: SETTINGS_EXPORT} if p.flag(params, "settings") else parts
    told = p.mapping(params, "states")
    return PullOrder(
        store=store,
        peer=p.name(params, "peer"),
        parts=parts,
        wanted=wanted,
        states=_states(told, wanted, patterns),
        is_memory=is_memory,
        patterns=patterns,
        check=check,
        size=_size(params),
        state=told.get("", ""),
        since=_states({"": p.text(params, "since")}, parts, ()),
        touched=p.paths(params, "touched"),
        gone=p.paths(params, "gone"),
        is_kept=p.flag(params, "kept"),
        seconds=p.seconds(params, "deadline_seconds", 240, 21600),
        publish=_publish(params),
    )


def read_publish_order(params: dict[str, Any]) -> Order:
    """Raises BadInput with the name of what is missing or malformed."""
    return Order(p.name(params, "origin"), p.integer(params, "epoch"), p.text(params, "tier"))


def tree_beside(manifest: str) -> str:
    """The export path of the tree that a manifest is of."""
    return manifest.removesuffix(MANIFEST) + "tree"


def _states(
    told: Mapping[str, str], wanted: Mapping[str, str], patterns: Sequence[str]
) -> dict[str, str]:
    """What the source told of each part, and what this machine takes of it; "" of which it told
    nothing.

    It was asked before the pull: what it wrote since is new at the next one.
    """
    return {part: _state(told.get(part, ""), export, patterns) for part, export in wanted.items()}


def _state(told: str, export: str, patterns: Sequence[str]) -> str:
    taken = json.dumps([told, export, patterns]).encode()
    return hashlib.sha256(taken).hexdigest() if told else ""


def _publish(params: dict[str, Any]) -> Order | None:
    told = p.optional_object(params, "publish", '{"origin", "epoch", "tier"}')
    return None if told is None else read_publish_order(told)


def _size(params: dict[str, Any]) -> Size | None:
    """The source's size, if it was told."""
    told = p.optional_object(params, "size", '{"bytes", "files"}')
    return None if told is None else Size(p.integer(told, "bytes"), p.integer(told, "files"))


def _parts(params: dict[str, Any]) -> dict[str, str]:
    parts = params.get("parts")
    if not isinstance(parts, dict) or not parts or ("" in parts and len(parts) > 1):
        raise BadInput('"parts" must name at least one folder, or be {"": export path}')
    for folder, export in parts.items():
        if (folder and not _PART.fullmatch(folder)) or not isinstance(export, str):
            raise BadInput(f'"parts" has a malformed folder {folder!r}'[:200])
        if not _EXPORT.fullmatch(export) or ".." in export:
            raise BadInput(f'"parts" has a malformed export path {export!r}'[:200])
    return parts
