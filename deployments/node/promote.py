"""`joe.pyz promote`: a person makes this node the holder because T440 is gone for good.

If the other node still answers, it steps back by itself: a higher record is enough, and safe. If it
does not, the two voters are both gone and only a person can know that both machines are off.
"""

from __future__ import annotations

from .config import NodeConfig
from .errors import BadInput, Refused
from .guard_status import read_status
from .kept import highest_epoch, load_state, save_state, terms_locked
from .messages import Record, State
from .status import STALE_SECONDS, is_answering

STEP = 1000
"""Epochs that T440 may have used since this node last heard of one."""
FLAG = "--i-checked-the-other-and-t440-are-off"
USAGE = f"""usage: joe.pyz promote [{FLAG}]
With the flag this node serves ALONE, without any vote, until another machine grants one again. If
the other node runs nevertheless and is only cut off from here, there will be two. Switch it off."""


def promote(config: NodeConfig, *words: str) -> int:
    """Write the record {highest epoch + 1000, this node}; with the flag also let it serve alone.

    Raises Refused when the case is not the one that was asked for; nothing is changed then.
    """
    if words not in ((), (FLAG,)):
        raise BadInput(USAGE)
    alone = words == (FLAG,)
    require_case(config, alone)
    with terms_locked(config):
        old, trouble = load_state(config)
        new = promoted(config.name, old, alone)
        try:
            save_state(config, old, new)
        except OSError as error:
            raise Refused(f"the record cannot be written: {error}") from None
    epoch = new.record.epoch if new.record else 0
    print(f"{config.name} is the holder at epoch {epoch}" + (", alone" if alone else ""))
    if trouble:
        print(f"before that: {trouble}")
    print("see `joe.pyz status`; it serves as soon as it has a term")
    if alone:
        print("When T440 comes back: remove its record.json before it joins the network again.")
    return 0


def promoted(name: str, state: State, alone: bool) -> State:
    """The state after it: epochs that T440 may have given out meanwhile are jumped over."""
    record = Record(highest_epoch(state) + STEP, name)
    return state._replace(record=record, sole=record.epoch if alone else 0)


def require_case(config: NodeConfig, alone: bool) -> None:
    """Raises Refused when T440 answers, or when the flag does not fit what is known here."""
    if not config.is_node:
        raise BadInput(f"{config.name} is no node")
    guard = read_status(config)
    if guard is None or guard["age"] > STALE_SECONDS:
        raise Refused(f"the guard of {config.name} does not run", "start joe-guard.service first")
    links, age = guard["links"], guard["age"]
    answering = [name for name, link in links.items() if is_answering(config, link, age)]
    for name in answering:
        if name not in config.nodes:
            raise Refused(
                f"{name} answers: it alone makes records while it can",
                "use the flow force-failover there",
            )
    if alone and answering:
        raise Refused(f"{answering[0]} answers, so it is not off", "use promote without the flag")
    if not alone and not answering:
        raise Refused(f"neither {config.other} nor T440 answers {config.name}", USAGE)
