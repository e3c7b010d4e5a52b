"""Which files of a workspace are memory. Pure: patterns and paths in, yes or no out."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

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


def is_memory(path: str, patterns: Sequence[str]) -> bool:
    """Whether a file at this path from the workspace is memory; a `!` pattern always wins."""
    parts = path.split("/")
    if any(_is_never(parts, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_is_wanted(parts, pattern) for pattern in patterns if not pattern.startswith("!"))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(fnmatchcase(part, wish) for part, wish in zip(parts, pattern))


def _is_wanted(parts: Sequence[str], pattern: str) -> bool:
    wish = pattern.split("/")
    if wish[-1] == "**":
        return len(parts) >= len(wish) and _fits(parts, wish[:-1])
    return len(parts) == len(wish) and _fits(parts, wish)


def _is_never(parts: Sequence[str], pattern: str) -> bool:
    wish = pattern.rstrip("/").split("/")
    folders = parts[:-1] if pattern.endswith("/") else parts
    if len(wish) == 1:
        return any(fnmatchcase(part, wish[0]) for part in folders)
    return len(folders) >= len(wish) and _fits(folders, wish)


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
    parts = folder.split("/")
    if any(_is_never([*parts, ""], pat[1:]) for pat in patterns if pat.startswith("!")):
        return False
    wishes = [pattern.split("/") for pattern in patterns if not pattern.startswith("!")]
    return any(
        _fits(parts, wish) if len(parts) < len(wish) else wish[-1] == "**" and _fits(parts, wish)
        for wish in wishes
    )
