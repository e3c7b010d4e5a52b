"""May the gateway start here? Asked by `gateway start`, and by whoever would start it by hand.

First version: the record on this disk names this machine, and T440 has said, in this boot and for
this epoch, that the other node's stop was proven or that the other node is unreachable. That is not
safe while the other node is only cut off from T440; a term, which is lent by voters and runs out by
the node's own clock, will be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .durable import write_json
from .errors import BadInput, Refused
from .record import describe, load_record

# What T440 may know about the other node when it lets this one start.
OTHER_STATES = ("stopped", "unreachable")


def word_file(config: NodeConfig) -> Path:
    """In the run folder: a reboot forgets it, so that a node serves nothing after a boot."""
    return config.run / "word.json"


def keep_word(config: NodeConfig, epoch: Any, other: Any) -> None:
    """Note what T440 says about the other node at `epoch`. Raises BadInput for anything else."""
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        raise BadInput(f"epoch {epoch!r} is not a whole number")
    if other not in OTHER_STATES:
        raise BadInput(f"other is {other!r}, not one of {', '.join(OTHER_STATES)}")
    write_json(word_file(config), {"epoch": epoch, "other": other})


def why_not(config: NodeConfig) -> str:
    """The reason why the gateway may not start here, or "" when it may."""
    record = load_record(config)
    if record is None:
        return "there is no record on this disk"
    if record.holder != config.name:
        return f"the record is {describe(record)}"
    try:
        word = json.loads(word_file(config).read_text())
    except (OSError, ValueError):
        return "T440 has not said in this boot that the other node is stopped or unreachable"
    if word.get("epoch") != record.epoch:
        return f"T440's word is for epoch {word.get('epoch')}, the record is {describe(record)}"
    return ""


def require_permit(config: NodeConfig) -> None:
    """Raises Refused with the reason when the gateway may not start here."""
    reason = why_not(config)
    if reason:
        raise Refused(f"{config.name} may not serve: {reason}")


def permit(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {permit: true}; refused with the reason otherwise."""
    require_permit(config)
    return {"permit": True}
