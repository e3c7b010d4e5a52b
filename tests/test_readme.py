"""The README's tables are those of the code, and what it links to exists."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise

import pytest

from deployments.node.rpc import PROGRAMS, VERBS
from deployments.tables import README, renew
from tests.deployed import flows_by_name

PROJECT = README.parent
STARTS = ("prefect", "joe.pyz", "python", "make")
# What a person puts in place of a word that the README writes large.
GIVEN = {"ID": "20261129T084512.123Z-1a2b3c4d", "WHY": "it was looked at"}


def commands() -> Iterator[str]:
    """Every command that the README says, from its blocks and from between its backticks."""
    text = README.read_text()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.S | re.M)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    said = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    for line in dict.fromkeys([*lines, *said]):
        words = line.split()
        if len(words) > 1 and words[0] in STARTS:
            yield line


def test_the_tables_are_those_of_the_code() -> None:
    text = README.read_text()
    assert renew(text) == text, "run: python -m deployments.tables"
    assert text.count("<!-- table ") == 2


def test_what_the_readme_links_to_exists() -> None:
    places = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert places
    missing = [place for place in places if not (README.parent / place).exists()]
    assert missing == []


@pytest.mark.parametrize("command", [pytest.param(one, id=one) for one in commands()])
def test_a_command_of_the_readme_is_one(command: str) -> None:
    """What it names exists, and takes these parameters: nobody types in vain at night."""
    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z.-]+):", (PROJECT / "Makefile").read_text(), re.M)
        assert words[0] in targets
    elif program == "python":
        assert words[0] == "-m" and importlib.util.find_spec(words[1])
    elif program == "joe.pyz":
        assert words[0] in PROGRAMS or " ".join(words[:2]) in VERBS or words[0] in VERBS
    elif words[:2] == ["deployment", "run"]:
        runs_with(words[2], [one for flag, one in pairwise(words) if flag == "-p"])


def runs_with(name: str, given: list[str]) -> None:
    flow = flows_by_name()[name]
    values = dict(one.split("=", 1) for one in given)
    values = {key: GIVEN.get(value, value) for key, value in values.items()}
    known = inspect.signature(flow.fn).parameters
    assert set(values) <= set(known)
    needed = {key for key, one in known.items() if one.default is inspect.Parameter.empty}
    assert needed <= {*values, "site_file"}, "without them the run is refused"
    flow.validate_parameters({"site_file": "site.yaml", **values})
