"""Whether a memory file can be what an agent wrote: readable text that parses as its name says."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from .fields import FRONT_MATTER, missing_fields, wanted_fields
from .manifest import CHUNK, walk

LARGEST_PARSED = 16 << 20  # above it only the encoding is checked: nobody writes such a note


@dataclass(frozen=True)
class Problem:
    """Where a file is wrong and what was expected there; line and column count from 1."""

    line: int
    column: int
    expected: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}; expected {self.expected}"


def find_problem(path: str, data: bytes, fields: Sequence[str] = ()) -> Problem | None:
    """The first thing that is wrong with this content under this name; None when it is good.

    `fields`: it must have them. Never raises, whatever the bytes are.
    """
    if not data:
        return Problem(1, 1, "at least one byte", "the file is empty")
    nul = data.find(b"\0")
    if nul >= 0:
        return _at(data, nul, "text without NUL bytes", "a NUL byte")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _at(data, error.start, "UTF-8", f"byte 0x{data[error.start]:02x} is not UTF-8")
    wrong_date = _wrong_date(path)
    if wrong_date:
        return Problem(1, 1, "a real date in the file's name", f"{wrong_date} is no day")
    try:
        return _parse_problem(path, text) or _field_problem(path, text, fields)
    except RecursionError:
        return Problem(1, 1, "fewer levels", "nested too deep to be read")


def _field_problem(path: str, text: str, fields: Sequence[str]) -> Problem | None:
    line, lacks = missing_fields(path, text, fields) if fields else (0, [])
    if not lacks:
        return None
    words = "field" if len(fields) == 1 else "fields"
    return Problem(line, 1, f"the {words} {', '.join(fields)}", f"no {', '.join(lacks)}")


def _at(data: bytes, offset: int, expected: str, message: str) -> Problem:
    line_start = data.rfind(b"\n", 0, offset) + 1
    return Problem(data.count(b"\n", 0, offset) + 1, offset - line_start + 1, expected, message)


_DATED = re.compile(r"(?:^|/)memory/(?:.*/)?(\d{4})-(\d{2})-(\d{2})(?!\d)[^/]*$", re.S)


def _wrong_date(path: str) -> str:
    match = _DATED.search(path)
    if match:
        try:
            date(*(int(group) for group in match.groups()))
        except ValueError:
            return "-".join(match.groups())
    return ""


def _parse_problem(path: str, text: str) -> Problem | None:
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower()
    checks: dict[str, Callable[[str], Problem | None]] = {
        "json": _json5_problem if name == "openclaw.json" else _json_problem,
        "json5": _json5_problem,
        "jsonl": _jsonl_problem,
        "ndjson": _jsonl_problem,
        "yaml": _yaml_problem,
        "yml": _yaml_problem,
        "md": _front_matter_problem,
        "markdown": _front_matter_problem,
    }
    return checks[suffix](text) if suffix in checks else None


def _json_problem(text: str) -> Problem | None:
    try:
        json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        return Problem(error.lineno, error.colno, "JSON", error.msg)
    except ValueError as error:  # a number of thousands of digits
        return Problem(1, 1, "JSON", str(error)[:120])
    return None


def _jsonl_problem(text: str) -> Problem | None:
    for number, line in enumerate(text.split("\n"), 1):
        problem = _json_problem(line) if line.strip() else None
        if problem:
            return Problem(number, problem.column, "one JSON value a line", problem.message)
    return None


def _json5_problem(text: str) -> Problem | None:
    if _json_problem(text) is None:
        return None
    import json5

    try:
        json5.loads(text)
    except ValueError as error:
        match = re.search(r":(\d+) (.*?)(?: at column (\d+))?$", str(error), re.S)
        if match:
            line, words, column = match.groups()
            return Problem(int(line), int(column or 1), "JSON5", words[:120])
        return Problem(1, 1, "JSON5", str(error)[:120])
    return None


def _yaml_problem(text: str) -> Problem | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for _ in yaml.compose_all(text, Loader=loader):  # the structure only: aliases stay folded
            pass
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        message = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Problem(line, column, "YAML", message[:120])
    except ValueError as error:
        return Problem(1, 1, "YAML", str(error)[:120])
    return None


def _front_matter_problem(text: str) -> Problem | None:
    match = FRONT_MATTER.match(text.lstrip("\ufeff"))
    problem = _yaml_problem(match.group(1)) if match else None
    if problem is None:
        return None
    return Problem(problem.line + 1, problem.column, "YAML front matter", problem.message)


def check_file(path: str, file: Path, fields: Sequence[str] = ()) -> Problem | None:
    """The same for a file on disk; a very large one is read in pieces and not parsed."""
    with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        if os.fstat(stream.fileno()).st_size <= LARGEST_PARSED:
            return find_problem(path, stream.read(), fields)
        decoder = codecs.getincrementaldecoder("utf-8")()
        line = 1
        while chunk := stream.read(CHUNK):
            if b"\0" in chunk:
                line += chunk.count(b"\n", 0, chunk.index(b"\0"))
                return Problem(line, 1, "text without NUL bytes", "a NUL byte")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return Problem(line, 1, "UTF-8", "bytes that are not UTF-8")
            line += chunk.count(b"\n")
    return None


def check_tree(tree: Path, demands: Mapping[str, Sequence[str]] = {}) -> dict[str, Problem]:
    """Path from the tree -> what is wrong, for every file below it.

    `demands`: pattern -> the fields that such a file of a workspace must have; the tree's first
    folders are the workspaces.
    """
    problems = {}
    for path, _ in walk(tree):
        fields = wanted_fields(path.partition("/")[2], demands) if demands else ()
        problem = check_file(path, tree / path, fields)
        if problem:
            problems[path] = problem
    return problems
