"""Messages to people that have not been sent yet: on T440's disk, so that none is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tasks.core.site import Site
from tasks.files import replace_file
from tasks.locks import locked

MOST = 200
"""Older ones are dropped: whoever was away for so long reads the journal."""


class Message(NamedTuple):
    """`wall`: when it was written, seconds since 1970. `level`: ok, warn or critical."""

    wall: float
    level: str
    text: str


def outbox_file(site: Site) -> Path:
    return site.watchdog.state / "outbox.json"


def is_empty(site: Site) -> bool:
    """Whether everything was sent; cheap, for every check asks."""
    return not outbox_file(site).exists()


def put(site: Site, message: Message) -> None:
    """Keep one message, durably, behind those that wait. Raises OSError."""
    with _locked(site):
        _save(site, [*_load(site), message][-MOST:])


def send_all(site: Site, send: Callable[[Message], bool]) -> tuple[int, int]:
    """Send what waits, oldest first, until one fails; returns (how many were sent, are left).

    Only one process sends at a time; another one's call returns at once with nothing sent. What was
    sent right before a power cut may be sent again, but none is lost.
    """
    sent = 0
    with _sending(site) as is_mine:
        while is_mine:
            with _locked(site):
                waiting = _load(site)
            if not waiting or not send(waiting[0]):
                break
            sent += 1
            with _locked(site):
                _save(site, [one for one in _load(site) if one != waiting[0]])
    with _locked(site):
        return sent, len(_load(site))


def _load(site: Site) -> list[Message]:
    try:
        raw = json.loads(outbox_file(site).read_text())
        return [Message(float(wall), str(level), str(text)) for wall, level, text in raw]
    except (OSError, ValueError, TypeError):
        return []  # none, or torn by a power cut: the journal has them


def _save(site: Site, messages: list[Message]) -> None:
    path = outbox_file(site)
    if not messages:
        path.unlink(missing_ok=True)
        return
    replace_file(path, json.dumps(messages))


def _locked(site: Site) -> contextlib.AbstractContextManager[int]:
    return locked(site.watchdog.state / "outbox.lock")


@contextlib.contextmanager
def _sending(site: Site) -> Iterator[bool]:
    """Whether nobody else sends now. The network is never waited for under the other lock."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(site.watchdog.state / "sending.lock", wait=False))
        except BlockingIOError:
            yield False
            return
        yield True
