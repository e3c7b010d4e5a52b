"""The agent: while its gateway serves it adds and edits notes in its workspaces, as Joe does."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

from .versions import Ledger

TOPICS = ("garden", "travel", "tea")
PLACES_HEAD = "# places that Joe was told of\nplaces:\n"
# How often each kind of note is written, of 20.
WEIGHTS = {"daily": 9, "memory": 4, "topic": 3, "people": 2, "places": 2}


class Agent:
    """One agent of a node: `name`, its workspace and a counter of its notes."""

    def __init__(self, name: str, workspace: Path, ledger: Ledger) -> None:
        self.name, self.workspace, self.ledger = name, workspace, ledger
        self.notes = 0
        self._random = random.Random()  # noqa: S311 - picks which note to write
        # What a kill left half-written; the live file beside it is whole.
        for leftover in workspace.rglob(".*.tmp"):
            leftover.unlink()

    def write_note(self, text: str = "") -> str:
        """Write one version of one memory file and return its path; `text` is a user's message."""
        self.notes += 1
        stamp = f"{time.strftime('%H:%M:%S', time.gmtime())} {self.ledger.node}-{self.notes}"
        kind = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if text:
            kind, stamp = "daily", f"{stamp} told: {text}"
        path, content = getattr(self, f"_{kind}")(f"{stamp} {self._random.getrandbits(32):08x}")
        self.ledger.write(self.name, self.workspace, path, content.encode())
        return str(path)

    def _read(self, path: str, otherwise: str) -> str:
        file = self.workspace / path
        return file.read_text() if file.exists() else otherwise

    def _daily(self, entry: str) -> tuple[str, str]:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        path = f"memory/{day}.md"
        return path, self._read(path, f"# {day}\n\n") + f"- {entry}\n"

    def _memory(self, entry: str) -> tuple[str, str]:
        """MEMORY.md: a new line, and an earlier one gets another importance."""
        lines = self._read("MEMORY.md", "# MEMORY\n\n").splitlines()
        old = [n for n, line in enumerate(lines) if "<!-- importance: " in line]
        if old:
            chosen = self._random.choice(old)
            kept = lines[chosen].split(" <!-- importance: ")[0]
            lines[chosen] = f"{kept} <!-- importance: {self._random.randint(1, 10)} -->"
        lines.append(f"- {entry} <!-- importance: {self._random.randint(1, 10)} -->")
        return "MEMORY.md", "\n".join(lines) + "\n"

    def _topic(self, entry: str) -> tuple[str, str]:
        """A topic's note: its second line is the last entry again, so it is no mere append."""
        topic = self._random.choice(TOPICS)
        lines = self._read(f"memory/topic-{topic}.md", f"# {topic}\nchanged: never\n").splitlines()
        lines[1] = f"changed: {entry}"
        return f"memory/topic-{topic}.md", "\n".join((*lines, f"- {entry}")) + "\n"

    def _people(self, entry: str) -> tuple[str, str]:
        people: dict[str, Any] = json.loads(self._read("memory/people.json", '{"people": []}'))
        people["people"].append({"name": f"guest {len(people['people']) + 1}", "met": entry})
        return "memory/people.json", json.dumps(people, indent=2) + "\n"

    def _places(self, entry: str) -> tuple[str, str]:
        return "memory/places.yaml", self._read("memory/places.yaml", PLACES_HEAD) + (
            f'  - name: "{entry}"\n'
        )


def make_agents(config: dict[str, Any], ledger: Ledger) -> list[Agent]:
    """The agents that openclaw.json names, each with its workspace."""
    entries = config.get("agents", {}).get("entries", {})
    return [Agent(name, Path(entry["workspace"]), ledger) for name, entry in entries.items()]
