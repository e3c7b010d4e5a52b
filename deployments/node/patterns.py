"""Which files of a workspace are memory. Pure: patterns and paths in, yes or no out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache
from typing import NamedTuple

# A pattern is a path from the workspace; `folder/**` is everything below; `!` in front is "never".
DEFAULT_PATTERNS = (
    "MEMORY.md",
    "USER.md",
    "IDENTITY.md",
    "SOUL.md",
    "AGENTS.md",
    "DREAMS.md",
    "memory/**",
)
# Indexes that are derived from the Markdown, what only one process may hold, and what is no memory.
# `.joe-*` is a file that `store apply` is just writing.
NEVER = ("!memory/.dreams/", "!*.sqlite*", "!*.lock", "!.git/", "!node_modules/", "!.joe-*")


class _Rules(NamedTuple):
    """Patterns as they are asked for each file: split once, single names as one expression."""

    wanted: tuple[list[str], ...]
    never_names: re.Pattern[str]
    never_folders: re.Pattern[str]
    never_paths: tuple[tuple[list[str], bool], ...]


@lru_cache(maxsize=16)
def _rules(patterns: tuple[str, ...]) -> _Rules:
    never = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    single = [one for one in never if "/" not in one.rstrip("/")]
    return _Rules(
        tuple(pattern.split("/") for pattern in patterns if not pattern.startswith("!")),
        _any_of([one for one in single if not one.endswith("/")]),
        _any_of([one.rstrip("/") for one in single if one.endswith("/")]),
        tuple(
            (one.rstrip("/").split("/"), one.endswith("/")) for one in never if one not in single
        ),
    )


def _any_of(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(name) for name in names) or r"(?!)")


def is_memory(path: str, patterns: Sequence[str]) -> bool:
    """Whether a file at this path from the workspace is memory; a `!` pattern always wins."""
    parts, rules = path.split("/"), _rules(tuple(patterns))
    if _is_never(parts, rules):
        return False
    return any(_is_wanted(parts, wish) for wish in rules.wanted)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(part == wish or fnmatchcase(part, wish) for part, wish in zip(parts, pattern))


def _is_wanted(parts: Sequence[str], wish: Sequence[str]) -> bool:
    if wish[-1] == "**":
        return len(parts) >= len(wish) and _fits(parts, wish[:-1])
    return len(parts) == len(wish) and _fits(parts, wish)


def _is_never(parts: Sequence[str], rules: _Rules) -> bool:
    folders = parts[:-1]
    if any(rules.never_names.match(part) for part in parts):
        return True
    if any(rules.never_folders.match(part) for part in folders):
        return True
    for wish, is_folder in rules.never_paths:
        above = folders if is_folder else parts
        if len(above) >= len(wish) and _fits(above, wish):
            return True
    return False


def make_filters(patterns: Sequence[str]) -> tuple[str, ...]:
    """The same choice as rsync filter rules, for a transfer whose root is the workspace."""
    never, wanted = [], []
    for pattern in patterns:
        if pattern.startswith("!"):
            anchor = "/" if "/" in pattern[1:].rstrip("/") else ""
            never.append(f"--filter=- {anchor}{pattern[1:]}")
            continue
        parts = pattern.split("/")
        for depth in range(1, len(parts)):
            wanted.append(f"--filter=+ /{'/'.join(parts[:depth])}/")
        wanted.append(f"--filter=+ /{pattern}")
    return (*never, *dict.fromkeys(wanted), "--filter=- *")


def may_hold(folder: str, patterns: Sequence[str]) -> bool:
    """Whether memory can lie below this folder, so that node_modules is never walked."""
    parts, rules = folder.split("/"), _rules(tuple(patterns))
    if _is_never([*parts, ""], rules):
        return False
    return any(
        _fits(parts, wish) if len(parts) < len(wish) else wish[-1] == "**" and _fits(parts, wish)
        for wish in rules.wanted
    )
