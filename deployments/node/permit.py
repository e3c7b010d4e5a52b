"""May the gateway start here? By terms; asked by the guard and by the gateway unit itself."""

from __future__ import annotations

from typing import Any

from .clock import boottime
from .config import NodeConfig
from .durable import locked
from .errors import Failed, Refused
from .kept import load_state, load_term_file, terms_locked
from .mark import Mark, load_mark, make_mark
from .term_file import why_no_start


def why_not(config: NodeConfig) -> str:
    """The reason why the gateway may not start here now, or "" when it may. Raises Failed."""
    if not config.is_node:
        return f"{config.name} is no node"
    with terms_locked(config):
        return _why_not(config)


def _why_not(config: NodeConfig) -> str:
    state, trouble = load_state(config)
    file = load_term_file(config)
    reason = why_no_start(config.name, state, file, config.boot_id(), boottime(), config.times)
    return trouble if reason and trouble else reason


def begin_start(config: NodeConfig) -> Mark:
    """Leave the mark of a start that is permitted; from here on this machine counts as serving.

    Raises Refused when it is not permitted, or while memory is written into the live workspaces.
    """
    if not config.is_node:
        raise Refused(f"{config.name} is no node")
    try:
        with locked(config.run / "gateway.lock", 0.0), terms_locked(config):
            reason = _why_not(config)
            if not reason and config.supervisor == "process" and load_mark(config) is not None:
                reason = "a gateway runs here, or is not proven to be stopped"
            if not reason:
                return make_mark(config)
    except Failed as error:
        reason = error.message
    except OSError as error:
        reason = f"the run folder cannot be written: {error}"
    raise Refused(f"{config.name} may not serve: {reason}")


def permit(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """Verb: {} -> {permit: true}; refused with the reason otherwise. Changes nothing."""
    reason = why_not(config)
    if reason:
        raise Refused(f"{config.name} may not serve: {reason}")
    return {"permit": True}


def permit_start(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """`joe.pyz permit start`, the unit's ExecCondition=: as `permit`, and leaves the mark."""
    return {"permit": True, "mark": begin_start(config).id}
