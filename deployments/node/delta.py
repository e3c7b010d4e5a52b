"""What a staged copy has otherwise than the one before it: who has that one pulls only this.

Each copy has an id of its own, and says of which other it is a change. A receiver keeps the id of
what it published (unchanged.py): the same id costs no pull at all, the id before it a pull of the
paths named here, any other a pull of everything. What came is compared with the whole manifest in
each case, so that a path which was not named is refused, and never missed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

# Beyond it a pull of everything is as quick. A verb's input may have 1 MiB.
LONGEST = 500_000

Folders = Mapping[str, Any]  # path that ends in a slash, "" for the top -> what is kept of it


class Delta(NamedTuple):
    """The id of a copy, that of the copy which it changes ("" for none), the paths of files, links
    and folders that are new or other, and those that are gone."""

    state: str
    since: str = ""
    touched: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """As it is kept, and told to a receiver."""
        return {
            "state": self.state,
            "since": self.since,
            "touched": list(self.touched),
            "gone": list(self.gone),
        }


def make_delta(since: str, touched: Collection[str], gone: Collection[str]) -> Delta:
    """A new copy's; `since` is "" when it is no change of another one."""
    state = secrets.token_hex(16)
    if not since or len(json.dumps([*touched, *gone])) > LONGEST:
        return Delta(state)
    return Delta(state, since, tuple(sorted(touched)), tuple(sorted(gone)))


def read_delta(told: Mapping[str, Any]) -> Delta:
    """The one that was kept; without an id when there is none."""
    state, since = (str(told.get(key, "")) for key in ("state", "since"))
    return Delta(state, since, *(tuple(told.get(key, ())) for key in ("touched", "gone")))


def compare_folders(old: Folders, new: Folders) -> tuple[set[str], set[str]]:
    """(folders that are new or other, those that are gone), without the slash."""
    other = {path.rstrip("/") for path in new if old.get(path) != new[path]}
    return other, {path.rstrip("/") for path in old.keys() - new.keys()}
