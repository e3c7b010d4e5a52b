"""requirements.lock is complete, pinned, hashed, and says nothing of where it was made.

That it installs is proven by every set-up: .venv is made from it and then checked by pip.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PYTHONS = ("3.11.2", "3.11.7", "3.12.1", "3.13.0")


class Pin(NamedTuple):
    requirement: Requirement
    hashes: list[str]


def parse_lock(text: str) -> Iterator[Pin]:
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            head, *hashes = line.split("--hash=")
            yield Pin(Requirement(head.strip()), [each.strip() for each in hashes])


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [Requirement(text) for text in texts]


def applies(requirement: Requirement, python: str, extras: Iterable[str] = ()) -> bool:
    """Whether Python `python` needs it, when it is asked for with one of `extras`, or without."""
    here = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**here, "extra": e}) for e in ("", *extras))


def pins_for(python: str) -> dict[str, Requirement]:
    pins = [pin.requirement for pin in parse_lock(LOCK)]
    return {canonicalize_name(each.name): each for each in pins if applies(each, python)}


def test_it_names_no_place() -> None:
    assert not re.search(r"://|^\s*-{1,2}(?!hash=)\w|file:| @ ", LOCK, re.MULTILINE)


def test_every_line_is_one_version_with_hashes() -> None:
    pins = list(parse_lock(LOCK))
    assert len(pins) > 50
    for requirement, hashes in pins:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("python", PYTHONS)
def test_it_covers_what_the_project_asks_for(python: str) -> None:
    pins = pins_for(python)
    for requirement in wanted():
        pin = pins[canonicalize_name(requirement.name)]
        version = str(pin.specifier).removeprefix("==")
        assert requirement.specifier.contains(version, prereleases=True), (requirement, version)


@pytest.mark.parametrize("python", ["3.11.2", "3.11.7"])
def test_it_covers_what_the_dependencies_ask_for(python: str) -> None:
    """Walk from pyproject.toml on, by the metadata of what is installed here."""
    pins = pins_for(python)
    waiting, seen = wanted(), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *sorted(requirement.extras)) in seen:
            continue
        seen.add((name, *sorted(requirement.extras)))
        assert name in pins, f"{name} is missing on Python {python}"
        try:
            asked = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # pinned for the other Python only
            continue
        inner = [Requirement(text) for text in asked]
        waiting += [each for each in inner if applies(each, python, requirement.extras)]
    assert len(seen) > 50


def test_debians_python_gets_what_only_it_needs() -> None:
    assert "async-timeout" in pins_for("3.11.2")
    assert "async-timeout" not in pins_for("3.11.7")


@pytest.mark.parametrize("line", ["a>=1 --hash=sha256:00", "a --hash=sha256:00"])
def test_a_line_that_pins_nothing_would_be_noticed(line: str) -> None:
    (pin,) = parse_lock(line)
    assert not re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier))
