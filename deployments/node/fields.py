"""The fields that a site demands of its memory files. Pure: text and patterns in, problems out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .patterns import is_memory

# Only what begins with a key is front matter; `---` above plain text is a ruler.
FRONT_MATTER = re.compile(
    r"\A---[ \t]*\r?\n(\s*[A-Za-z_][\w-]*[ \t]*:.*?\n)---[ \t]*(?:\r?\n|\Z)", re.S
)


def wanted_fields(path: str, demands: Mapping[str, Sequence[str]]) -> list[str]:
    """The fields that a file at this path from the workspace must have; patterns as for memory."""
    found = [
        name for pattern in demands if is_memory(path, (pattern,)) for name in demands[pattern]
    ]
    return list(dict.fromkeys(found))


def missing_fields(path: str, text: str, wanted: Sequence[str]) -> tuple[int, list[str]]:
    """(line of the first record without all of them, the fields that it lacks); (0, []) for none.

    A JSON, JSON5 or YAML file is one record, JSON Lines are one a line, of Markdown it is the front
    matter. What is no mapping, or cannot be read, lacks all.
    """
    for line, record in _records(path, text):
        lacks = [name for name in wanted if not isinstance(record, dict) or name not in record]
        if lacks:
            return line, lacks
    return 0, []


def _records(path: str, text: str) -> Iterator[tuple[int, Any]]:
    suffix = path.rpartition(".")[2].lower()
    if suffix in ("jsonl", "ndjson"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, _read(json.loads, line)
    elif suffix == "json":
        yield 1, _read(json.loads, text)
    elif suffix == "json5":
        import json5

        yield 1, _read(json5.loads, text)
    elif suffix in ("yaml", "yml"):
        yield 1, _read(_read_yaml, text)
    else:
        match = FRONT_MATTER.match(text.lstrip("\ufeff"))
        yield 1, _read(_read_yaml, match.group(1)) if match else None


def _read_yaml(text: str) -> Any:
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _read(parse: Any, text: str) -> Any:
    try:
        return parse(text.lstrip("\ufeff"))
    except Exception:  # whatever a parser makes of it: it has no fields
        return None
