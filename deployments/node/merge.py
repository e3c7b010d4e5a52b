"""What a node's memory becomes when it takes in the serving node's. Pure: trees in, a plan out.

Three trees: `theirs` is the serving node's, `own` is this node's, `base` is the last one both had.

| base and theirs | base and own    | result                                                       |
|-----------------|-----------------|--------------------------------------------------------------|
| any             | same            | theirs (a file that they deleted is deleted)                 |
| same            | changed, new    | own                                                          |
| same            | deleted         | theirs: a deletion on the side that did not serve is no wish |
| changed         | deleted         | theirs                                                       |
| deleted         | changed         | own                                                          |
| appended        | appended        | theirs, one marker line, own's tail (Markdown only)          |
| changed         | changed         | theirs; own becomes a copy that the agent can find           |
| any             | empty or ruined | theirs                                                       |

Run twice it gives the same tree: a part of the result in `own` is recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .merge_text import is_markdown, join_tails, quote, shorten

RECOVERED = "memory/recovered"


@dataclass(frozen=True)
class Side:
    """One tree: path -> hash of the content, and how to read a file of it."""

    hashes: Mapping[str, str]
    read: Callable[[str], bytes]


@dataclass(frozen=True)
class Names:
    """Who is who, for the marker line and the names of copies; `date` is YYYY-MM-DD."""

    own: str
    theirs: str
    date: str

    @property
    def marker(self) -> bytes:
        return f"<!-- joe: from here on written on {self.own} -->\n".encode()


@dataclass
class Plan:
    """What to do to `own`, path by path; what is in none of the lists stays as it is.

    `write` is new content (joined files, recovered copies), `take` is theirs, `aside` is content
    that goes to the store. `conflicts`: path -> the copy's path, or "" when it only went aside.
    """

    take: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    write: dict[str, bytes] = field(default_factory=dict)
    aside: dict[str, bytes] = field(default_factory=dict)
    appended: list[str] = field(default_factory=list)
    kept_own: list[str] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0


def merge(
    base: Side, theirs: Side, own: Side, names: Names, is_bad: Callable[[str, bytes], bool]
) -> Plan:
    """Plan the merge. `is_bad` tells whether a content is empty or ruined under its name.

    Only files that this node changed since `base` are read.
    """
    merging = _Merging(base, theirs, own, names, is_bad)
    for path in sorted({*base.hashes, *theirs.hashes, *own.hashes}):
        merging.decide(path)
    merging.clear_ways()
    return merging.plan


class _Merging:
    def __init__(
        self,
        base: Side,
        theirs: Side,
        own: Side,
        names: Names,
        is_bad: Callable[[str, bytes], bool],
    ) -> None:
        self.base, self.theirs, self.own = base, theirs, own
        self.names, self.is_bad = names, is_bad
        self.plan = Plan()

    def decide(self, path: str) -> None:
        """One row of the table."""
        base, theirs, own = (side.hashes.get(path) for side in (self.base, self.theirs, self.own))
        if own == theirs:
            self.plan.unchanged += own is not None
        elif own is None:
            if theirs is not None:
                self.plan.take.append(path)
        elif own == base:
            self._yield(path, theirs)
        elif theirs is None and base is None:
            self.plan.kept_own.append(path)
        elif self.is_bad(path, self.own.read(path)):
            self._put_aside(path, self.own.read(path))
            self._yield(path, theirs)
        elif theirs is None or theirs == base:
            self.plan.kept_own.append(path)
        else:
            self._both_changed(path)

    def _yield(self, path: str, theirs: str | None) -> None:
        if theirs is None:
            self.plan.remove.append(path)
        else:
            self.plan.take.append(path)

    def _both_changed(self, path: str) -> None:
        theirs, own = self.theirs.read(path), self.own.read(path)
        if self.is_bad(path, theirs):
            self.plan.kept_own.append(path)
            return
        base = self.base.read(path) if path in self.base.hashes else b""
        joined = join_tails(base, theirs, own, self.names.marker) if self._may_join(path) else None
        if joined is None:
            self._recover(path, own)
            self.plan.take.append(path)
        elif joined == own:
            self.plan.kept_own.append(path)
        elif joined == theirs:
            self.plan.take.append(path)
        else:
            self.plan.write[path] = joined
            self.plan.appended.append(path)

    def _may_join(self, path: str) -> bool:
        """Notes are joined. A file such as AGENTS.md that is new on both sides is not a note:
        two of them in one file would be two sets of orders."""
        if not is_markdown(path):
            return False
        return path in self.base.hashes or path.partition("/")[2].startswith("memory/")

    def _recover(self, path: str, content: bytes) -> None:
        """Keep content where the agent's own search finds it, which is in Markdown only.

        What is no Markdown is quoted in a note there, and its very bytes go aside.
        """
        note = content if is_markdown(path) else quote(path, self.names.own, content)
        copy = self._copy_name(path, note) if note else ""
        if not copy or note != content:
            self._put_aside(path, content)
        if not copy:
            return
        content = note
        self.plan.conflicts[path] = copy
        if self.own.hashes.get(copy) is None and self.theirs.hashes.get(copy) is None:
            self.plan.write[copy] = content

    def _put_aside(self, path: str, content: bytes) -> None:
        if content:
            self.plan.aside[path] = content
            self.plan.conflicts[path] = ""

    def _copy_name(self, path: str, content: bytes) -> str:
        """A free name for the copy, or that of a copy with this content, of whatever day."""
        agent, _, inside = path.partition("/")
        folder = f"{agent}/{RECOVERED}/"
        here = {**self.theirs.hashes, **self.own.hashes}
        if f"{agent}/memory" in here or folder[:-1] in here:
            return ""  # a file lies in the way of the folder
        digest = hashlib.sha256(content).hexdigest()
        ending = f".from-{self.names.own}.md"
        for known in sorted(here):
            if known.startswith(folder) and ending[:-3] in known and self._stays(known, digest):
                return known
        stem = shorten(inside[len("memory/") :] if inside.startswith("memory/") else inside)
        number = 1
        while True:
            extra = f"-{number}" if number > 1 else ""
            name = f"{folder}{self.names.date}-{stem}{extra}{ending}"
            if name not in here and self.plan.write.get(name, content) == content:
                return name
            number += 1

    def _stays(self, path: str, digest: str) -> bool:
        """Whether this content will be at this path after the merge."""
        base, theirs, own = (side.hashes.get(path) for side in (self.base, self.theirs, self.own))
        if theirs == digest:
            return own in (base, theirs, None) or theirs != base  # else own's change wins
        return theirs is None and own == digest and base != digest

    def clear_ways(self) -> None:
        """Where one side has a file and the other a folder of that name, own's part makes way."""
        plan = self.plan
        removed = set(plan.remove)
        kept = {path for path in self.own.hashes if path not in removed}
        taken = {*plan.take, *plan.write}
        for path in sorted(kept | taken):
            for above in _above(path):
                if above in kept and path in taken:
                    self._make_way(above)
                elif above in taken and path in kept:
                    self._make_way(path)

    def _make_way(self, path: str) -> None:
        if path in self.plan.remove:
            return
        if path in self.plan.kept_own:
            self.plan.kept_own.remove(path)
        self._recover(path, self.own.read(path))
        self.plan.remove.append(path)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
