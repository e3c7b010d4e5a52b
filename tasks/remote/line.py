"""One kept program of joe.pyz that answers cheap questions, a line each: `joe.pyz stay`."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from typing import Any

from tasks.core.errors import Unreachable
from tasks.remote.answer import parse_answer

MAX_LINE_BYTES = 1 << 20
ASKED = frozenset({"observe", "record read"})
"""The verbs that `stay` answers; they change nothing, so each may be asked twice."""


class NoLine(Exception):
    """Nothing answered on the line, and nothing was lost: ask by a program of its own."""


class Line(ABC):
    """Questions on one connection, one at a time; `name` is the machine's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._busy = threading.Lock()
        self._is_unknown = False  # the other side's joe.pyz is too old for it

    def ask(self, verb: str, params: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        """As `call` of the connection; raises NoLine when it should be asked that way instead.

        Raises Unreachable when the deadline passed: then asking again would take as long.
        """
        if verb not in ASKED or self._is_unknown or not self._busy.acquire(blocking=False):
            raise NoLine
        try:
            return self._ask(verb, params or {}, seconds)
        finally:
            self._busy.release()

    def _ask(self, verb: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        request = json.dumps({"verb": verb, "params": params}).encode() + b"\n"
        try:
            line = self.exchange(request, seconds)
            told = json.loads(line)
            status, answer = int(told["status"]), told["answer"]
        except TimeoutError:
            self.close()
            raise Unreachable(self.name, f"{verb}: no answer within the deadline") from None
        except (OSError, EOFError):
            self.close()
            raise NoLine from None
        except (ValueError, KeyError, TypeError):
            self.close()
            self._is_unknown = True
            raise NoLine from None
        return parse_answer(self.name, verb, status, json.dumps(answer).encode())

    @abstractmethod
    def exchange(self, request: bytes, seconds: float) -> bytes:
        """Send a line, and return the one that comes back; starts the program when there is none.

        Raises TimeoutError after `seconds`, EOFError or OSError when it broke.
        """

    def close(self) -> None:
        """End the program; the next question starts another one, which may be newer."""
        self._is_unknown = False
        self.end()

    @abstractmethod
    def end(self) -> None:
        """End the program, if there is one."""
