"""In which settings two nodes differ, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

HIDDEN = "secret "
"""So begins the word of a value that no node tells: only whether it is the same can be seen."""


def differences(
    one: str, mine: Mapping[str, str], other: str, theirs: Mapping[str, str]
) -> list[str]:
    """A sentence each, sorted; `mine` and `theirs`: setting -> its value in words."""
    lines = []
    for path in sorted({*mine, *theirs}):
        a, b = mine.get(path), theirs.get(path)
        if a == b:
            continue
        if a is None or b is None:
            has, lacks = (one, other) if b is None else (other, one)
            lines.append(f"{path}: {has} has it, {lacks} does not")
        elif a.startswith(HIDDEN) or b.startswith(HIDDEN):
            lines.append(f"{path}: not the same on {one} and {other}")
        else:
            lines.append(f"{path}: {one} has {a}, {other} has {b}")
    return lines
