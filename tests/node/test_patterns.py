"""Which files are memory: our reading of the patterns and rsync's are the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deployments.node.memory import find_memory
from deployments.node.patterns import DEFAULT_PATTERNS, NEVER, is_memory, make_filters

WANTED = [
    "MEMORY.md",
    "USER.md",
    "memory/2026-01-01.md",
    "memory/deep/x.json",
    "memory/sessions/s.jsonl",
    "memory/a b/new\nline.md",
    "memory/-x",
]
UNWANTED = [
    "MEMORY.md.bak",
    "BOOTSTRAP.md",
    "notes/MEMORY.md",
    "node_modules/p/MEMORY.md",
    "memory/node_modules/p.md",
    "memory/.git/config",
    "memory/.dreams/x.md",
    "memory/index.sqlite",
    "memory/index.sqlite-wal",
    "memory/x.lock",
    "memory/.joe-12",
    "memory2/a.md",
    "mymemory/a.md",
    "sessions/s.jsonl",
]
SETS = {
    "the defaults": DEFAULT_PATTERNS,
    "a site's own": ("memory/**", "notes/*.md", "!memory/deep/", "deep/er/**", "*.md"),
}


def make_tree(root: Path) -> None:
    for path in [*WANTED, *UNWANTED, "notes/a.md", "notes/b/a.md", "deep/er/a", "deep/a"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


@pytest.mark.parametrize("patterns", SETS.values(), ids=SETS)
def test_rsync_and_this_program_choose_the_same_files(
    tmp_path: Path, patterns: tuple[str, ...]
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    make_tree(source)
    rules = (*patterns, *NEVER)
    subprocess.run(("rsync", "-rtm", *make_filters(rules), f"{source}/", f"{target}/"), check=True)
    travelled = {str(f.relative_to(target)) for f in target.rglob("*") if f.is_file()}
    everything = {str(f.relative_to(source)) for f in source.rglob("*") if f.is_file()}
    assert travelled == {path for path in everything if is_memory(path, rules)}
    assert travelled == set(find_memory(source, rules)[0])


def test_the_defaults_choose_what_openclaw_writes_and_nothing_else() -> None:
    rules = (*DEFAULT_PATTERNS, *NEVER)
    assert [path for path in WANTED + UNWANTED if is_memory(path, rules)] == WANTED
