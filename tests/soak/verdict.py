"""One claim of a soak, whether it holds, and by which figures."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """`figure`: one line of evidence; `breaches`: a line each, none when it holds."""

    claim: str
    holds: bool
    figure: str
    breaches: tuple[str, ...] = ()


def none_of(claim: str, breaches: list[str], of: str) -> Verdict:
    """The verdict that there is no breach, `of` so many things."""
    return Verdict(claim, not breaches, f"{len(breaches)} of {of}", tuple(breaches))
