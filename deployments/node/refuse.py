"""Whether new content looks like a loss. Pure: two lists of files in, reasons in words out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """From where on a change is a loss, until a person says otherwise.

    `required` are names at the top of an agent's folder; `few` is the number of files below which
    a share says nothing (in a workspace of four files, three may well change at once).
    """

    memory: bool
    required: tuple[str, ...] = ()
    few: int = 5
    vanished_share: float = 0.10
    changed_share: float = 0.50
    shrunk_share: float = 0.50
    shrunk_floor_bytes: int = 1024


@dataclass(frozen=True)
class Verdict:
    """`reasons` is empty when the content may be published.

    `held` are files that stay at their last good version and `kept_bad` files that are bad but
    have no good version, each with what is wrong with them.
    """

    reasons: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    kept_bad: Mapping[str, str] = field(default_factory=dict)


def judge(
    base: Mapping[str, Entry],
    new: Mapping[str, Entry],
    bad: Mapping[str, str],
    base_bad: Collection[str],
    known_bad: Collection[str],
    grown: Collection[str],
    limits: Limits,
) -> Verdict:
    """Compare new content with the last published one.

    `bad`: path -> what is wrong with its new version. `base_bad`: paths whose published version
    is bad itself. `known_bad`: paths for which content was refused before: they are held now and
    block nothing any more, unless they are many. `grown`: changed paths whose old content is the
    beginning of the new.
    """
    reasons: list[str] = []
    held: dict[str, str] = {}
    kept_bad: dict[str, str] = {}
    for path, complaint in sorted(bad.items()):
        if path not in base or path in base_bad:
            kept_bad[path] = complaint
        elif path in known_bad:
            held[path] = complaint
        else:
            reasons.append(f"{path} was good and is ruined now: {complaint}")
    if len(held) > limits.few and len(held) > limits.vanished_share * len(base):
        reasons.append(f"{len(held)} of {len(base)} files are ruined: " + _some(sorted(held)))
    if base:
        seen = {**new, **{path: base[path] for path in held}}
        both = ((path, entry, seen.get(path, entry)) for path, entry in base.items())
        # Most are one and the same object, which need not be compared.
        other = sorted(path for path, old, now in both if old is not now and old != now)
        reasons += _losses(base, seen, other, limits)
        reasons += _mass_change(base, seen, [path for path in other if path not in grown], limits)
    return Verdict(tuple(reasons), held, kept_bad)


def _losses(
    base: Mapping[str, Entry], new: Mapping[str, Entry], other: Sequence[str], limits: Limits
) -> list[str]:
    reasons = []
    vanished = sorted(base.keys() - new.keys())
    emptied = [path for path in other if _size(base[path]) and not _size(new[path])]
    lost = vanished + ([] if limits.memory else emptied)
    if not new:
        reasons.append(f"all {len(base)} files are gone")
    elif len(lost) > limits.few and len(lost) > limits.vanished_share * len(base):
        reasons.append(
            f"{len(lost)} of {len(base)} files are gone or empty (more than"
            f" {limits.vanished_share:.0%} and more than {limits.few}): " + _some(lost)
        )
    gone = [path for path in vanished if _is_required(path, limits)]
    if gone and new:
        reasons.append("a required file is gone: " + _some(gone))
    if limits.memory:
        reasons += _agents_gone(base, new)
    reasons += _shrunk(base, new, other, limits)
    return reasons


def _is_required(path: str, limits: Limits) -> bool:
    agent, _, name = path.partition("/")
    return bool(agent) and name in limits.required


def _agents_gone(base: Mapping[str, Entry], new: Mapping[str, Entry]) -> list[str]:
    before = {path.partition("/")[0] for path in base}
    after = {path.partition("/")[0] for path in new}
    return [f"all files of agent {agent} are gone" for agent in sorted(before - after) if after]


def _shrunk(
    base: Mapping[str, Entry], new: Mapping[str, Entry], other: Sequence[str], limits: Limits
) -> list[str]:
    reasons = []
    for path in other:
        if limits.memory and path.endswith("/MEMORY.md"):
            was, now = _size(base[path]), _size(new[path])
            if 0 < now < was * limits.shrunk_share:
                reasons.append(f"{path} shrank from {was} to {now} bytes")
    was, now = sum(map(_size, base.values())), sum(map(_size, new.values()))
    if new and was >= limits.shrunk_floor_bytes and now < was * limits.shrunk_share:
        reasons.append(f"all files together shrank from {was} to {now} bytes")
    return reasons


def _mass_change(
    base: Mapping[str, Entry], new: Mapping[str, Entry], other: Sequence[str], limits: Limits
) -> list[str]:
    changed = [path for path in other if _content(new[path]) != _content(base[path])]
    if len(changed) > limits.few and len(changed) > limits.changed_share * len(base):
        return [
            f"{len(changed)} of {len(base)} files were rewritten at once (more than"
            f" {limits.changed_share:.0%}): " + _some(changed)
        ]
    return []


def _content(entry: Entry) -> Any:
    return entry.get("sha256") or entry.get("link")


def _size(entry: Entry) -> int:
    return int(entry.get("size", 0))


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more
