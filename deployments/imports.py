"""Flows as the worker keeps them: imported once, and compared with what is on the disk now."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

from prefect import Flow

FOLDERS = ("flows", "tasks", "deployments")


class Flows:
    """The flows of a project's folder, which must be on `sys.path`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stamp, self.digest = self._stamp(), self._digest()
        self._known: dict[str, Flow[Any, Any]] = {}
        self._told = False

    def load(self, entrypoint: str) -> Flow[Any, Any]:
        """`flows/health_check.py:health_check` -> the flow, imported at the first call.

        As a module of its package, so that two flows share what both import. Raises ImportError,
        and whatever the import of it raises.
        """
        if entrypoint not in self._known:
            path, _, name = entrypoint.partition(":")
            module = ".".join(Path(path).with_suffix("").parts)
            found = getattr(importlib.import_module(module), name, None)
            if not isinstance(found, Flow):
                raise ImportError(f"{entrypoint} is no flow of {self.root}")
            self._known[entrypoint] = found
        return self._known[entrypoint]

    def try_to_load(self, entrypoint: str) -> str:
        """Import a flow before its first run; a sentence when that fails, as its runs will."""
        try:
            self.load(entrypoint)
        except Exception as error:  # whatever a module does when it is imported
            return f"{entrypoint} cannot be imported: {type(error).__name__}: {error}"
        return ""

    def is_outdated(self) -> str:
        """A sentence when files differ from those at the start; told once, then "" for ever."""
        try:
            if self._told or self._stamp() == self.stamp:
                return ""
            self.stamp, now = self._stamp(), self._digest()
        except OSError:  # a file vanished while they were listed: look again next time
            return ""
        known = sorted({*now, *self.digest})
        changed = [name for name in known if now.get(name) != self.digest.get(name)]
        if not changed:
            return ""
        self._told = True
        names = ", ".join(changed[:3]) + (" and others" if len(changed) > 3 else "")
        return f"this worker runs old code, restart it: changed are {names}"

    def _files(self) -> list[Path]:
        found = (file for folder in FOLDERS for file in (self.root / folder).rglob("*.py"))
        return sorted(found)

    def _stamp(self) -> list[tuple[str, int, int]]:
        stats = ((str(file), file.stat()) for file in self._files())
        return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]

    def _digest(self) -> dict[str, str]:
        return {
            str(file.relative_to(self.root)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self._files()
        }
