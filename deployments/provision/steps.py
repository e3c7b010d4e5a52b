"""What was seen on the machines, and the steps that provisioning is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Order = Mapping[str, Any]
"""What deployments/provision/hand.py carries out on a machine."""


@dataclass(frozen=True)
class File:
    """A file that is there; `text` of those only that were asked for it."""

    sha256: str
    mode: int
    mtime: float
    text: str = ""


@dataclass(frozen=True)
class Program:
    """joe.pyz as it is to be: its bytes as text with surrogate escapes, and their hash."""

    text: str
    sha256: str


@dataclass(frozen=True)
class Unit:
    """A systemd user unit; `started` is when its main process began, 0.0 when it has none."""

    load: str
    active: str
    enabled: str
    reload: bool
    started: float

    @property
    def runs(self) -> bool:
        """In whole or in part: what is activating counts, too."""
        return self.active not in ("inactive", "failed")


@dataclass(frozen=True)
class Facts:
    """One machine as it is; `files` by the names that were asked for, None for what is not there.

    `units` is None where the user has no systemd that can be asked; `record` is its text, "" when
    there is none; `missing` are programs that the machine does not have.
    """

    user: str
    uid: int
    home: str
    python: tuple[int, int]
    files: Mapping[str, File | None]
    missing: tuple[str, ...]
    linger: bool
    units: Mapping[str, Unit] | None
    record: str
    gateway_open: bool

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """The answer of a look. Raises KeyError and TypeError for what is none."""
        files = {name: File(**one) if one else None for name, one in raw["files"].items()}
        units = raw["units"]
        return cls(
            user=raw["user"],
            uid=raw["uid"],
            home=raw["home"],
            python=(raw["python"][0], raw["python"][1]),
            files=files,
            missing=tuple(raw["missing"]),
            linger=raw["linger"],
            units=None if units is None else {name: Unit(**one) for name, one in units.items()},
            record=raw["record"],
            gateway_open=raw["gateway_open"],
        )

    def unit(self, name: str) -> Unit:
        """A unit, also one that nobody made."""
        return (self.units or {}).get(name, Unit("not-found", "inactive", "", False, 0.0))

    def text(self, name: str) -> str:
        """A file's text, "" when there is none."""
        found = self.files.get(name)
        return found.text if found else ""


@dataclass(frozen=True)
class Prefect:
    """T440's Prefect server: whether it answers, its pools with their types, its deployments."""

    answers: bool = False
    pools: Mapping[str, str] = field(default_factory=dict)
    deployments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """Everything that was looked at. A machine that could not be looked at yet has no facts.

    `host_keys`: what the machines without a pinned host key offer, as `ssh-ed25519 BASE64`.
    """

    facts: Mapping[str, Facts]
    host_keys: Mapping[str, str] = field(default_factory=dict)
    prefect: Prefect = field(default_factory=Prefect)


@dataclass(frozen=True)
class Step:
    """One change on one machine, as a sentence for a person.

    Without an `order` it is either what a person must do first, by the words of `remedy`, or what
    can only be said in full once an earlier step is done. `question`: a person must agree.
    `drains`: the machine's gateway ends its work before the order, on T440's word.
    """

    machine: str
    sentence: str
    order: Order | None = None
    question: str = ""
    remedy: str = ""
    drains: bool = False

    def __str__(self) -> str:
        return f"{self.machine}: {self.sentence}"


def write(facts: Facts | None, path: str, text: str | None, mode: int = 0o600) -> Order | None:
    """The order that makes a file so; None while its text is not known, or what it replaces."""
    if facts is None or text is None:
        return None
    found = facts.files[path]
    was = found.sha256 if found else None
    return {"do": "write", "path": path, "text": text, "mode": mode, "was": was}


def run(*argv: str, seconds: float = 60.0, text: str = "") -> Order:
    """The order that runs one command."""
    return {"do": "run", "argv": list(argv), "seconds": seconds, "input": text}


def is_so(facts: Facts | None, path: str, text: str | None, mode: int = 0o600) -> bool:
    """Is the file there, with this text and mode?"""
    found = facts.files[path] if facts is not None else None
    return found is not None and found.text == text and found.mode == mode
