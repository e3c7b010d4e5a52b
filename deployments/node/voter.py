"""`joe.pyz answer`: this machine's vote. One line a question, over a connection that stays open.

Under the machine's one lock: load, decide, write what changed (the record fsynced), and only then
answer. Whatever cannot be read or written ends in a refusal, never in a vote.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

from .clock import boottime
from .config import NodeConfig
from .errors import BadInput, NodeError
from .gateway import is_serving
from .kept import load_state, save_state, terms_locked
from .messages import Answer, Ask, Drain
from .params import name, seconds
from .record import parse_record
from .term import Voter
from .trigger import start_check, wants_check
from .wire import MAX_LINE, answer_line, parse_ask, refusal_line

IDLE_SECONDS = 60.0
"""An asker is silent for so long only when it is gone; its connection may not have noticed."""
LONGEST_DRAIN_SECONDS = 60.0


def answer_question(config: NodeConfig, line: bytes, asker: str = "") -> bytes:
    """One question -> the line to send. `asker`: the one node that this connection belongs to.

    Raises ValueError for a line that is no question of that node; nothing was changed then.
    """
    ask = parse_ask(line.decode())
    if ask.record is not None:
        parse_record(ask.record._asdict(), config.nodes)
    if ask.sender not in config.nodes or ask.sender == config.name:
        raise ValueError(f"{ask.sender!r} is not a node that may ask {config.name}")
    if asker and ask.sender != asker:
        raise ValueError(f"{ask.sender!r} asks through the door of {asker}")
    try:
        told, wants = _answer(config, ask)
        if wants:
            start_check(config)
        return answer_line(told).encode() + b"\n"
    except (NodeError, OSError) as error:
        return refusal_line(f"{config.name}: {error}").encode() + b"\n"


def _answer(config: NodeConfig, ask: Ask) -> tuple[Answer, bool]:
    """The answer, and whether a health check is to be started at once."""
    voter = Voter(config.name, config.times)
    with terms_locked(config):
        old, _ = load_state(config)
        # The gateway is looked at after the record was read, and before the lock is left: a start
        # that this look did not see will find what is written here.
        now = boottime()
        state, told = voter.answer(ask, old, now, is_serving(config))
        save_state(config, old, state)
        return told, wants_check(config, ask, state, now)


def serve(config: NodeConfig, asker: str = "") -> int:
    """Answer until the connection ends or is idle; 2 after a line that is no question."""
    pending = b""
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        data = os.read(0, 65536)
        if not data:
            return 0
        *lines, pending = (pending + data).split(b"\n")
        try:
            if len(pending) > MAX_LINE:
                raise ValueError("a line without end")
            told = b"".join(answer_question(config, line, asker) for line in lines)
        except ValueError as error:
            print(f"joe answer: {error}", file=sys.stderr)
            return 2
        view = memoryview(told)
        try:
            while view:
                view = view[os.write(1, view) :]
        except BrokenPipeError:  # the asker is gone
            return 0
    return 0


def drain_write(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb, on T440: {to, epoch, seconds} -> {until}: ask node `to` to end its work at `epoch`.

    It lapses after `seconds` (BOOTTIME of this machine, 10 s by default) unless it is renewed.
    Raises BadInput, also for an epoch that is not one.
    """
    to = name(params, "to")
    lasts = seconds(params, "seconds", 10.0, LONGEST_DRAIN_SECONDS)
    try:
        record = parse_record({"epoch": params.get("epoch"), "holder": to}, config.nodes)
    except ValueError as error:
        raise BadInput(str(error)) from None
    until = boottime() + lasts
    _save_drain(config, Drain(to, record.epoch, until))
    return {"until": until}


def drain_end(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb, on T440: {} -> {drain: null}: whoever was drained may go on."""
    _save_drain(config, None)
    return {"drain": None}


def _save_drain(config: NodeConfig, drain: Drain | None) -> None:
    with terms_locked(config):
        old, _ = load_state(config)
        save_state(config, old, old._replace(drain=drain))
