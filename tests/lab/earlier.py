"""The version before this one, as a person has it checked out who is about to update."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab import cache

PARTS = ("deployments", "flows", "tasks", "prefect.yaml")
# The state of main at the end of November 2026, as long as there is no tag before HEAD.
BEFORE_TAGS = "f0bbf23cfeae10b5c36857029b45d1cae3ac8862"


def check_out_earlier(folder: Path) -> str:
    """Unpack the newest tag before HEAD into `folder` and return its name.

    Skips the test where this is no clone, or one whose history is cut off: there is nothing to
    update from.
    """
    said = _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    name = said.decode().strip() if said else BEFORE_TAGS
    archive = _git("archive", name, *PARTS)
    if archive is None:
        pytest.skip(f"this clone has no history down to {name}")
    folder.mkdir()
    subprocess.run(("tar", "-x", "-C", str(folder)), input=archive, check=True)
    return name


def _git(*words: str) -> bytes | None:
    """What it printed; None when it failed."""
    try:
        done = subprocess.run(("git", "-C", str(cache.PROJECT), *words), capture_output=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
