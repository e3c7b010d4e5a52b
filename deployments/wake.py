"""The file by which T440's voter wakes the worker: a run ordered at once waits for no query."""

from __future__ import annotations

from pathlib import Path


class Wake:
    """Watches one file, which need not exist; a look costs one stat."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = self._mtime_ns()

    def was_touched(self) -> bool:
        """Whether it was touched since the last call that said so, or since construction."""
        before, self._seen = self._seen, self._mtime_ns()
        return self._seen != before

    def _mtime_ns(self) -> int:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0
