"""`joe.pyz status`: one screen for a person, on any of the three machines, from what it knows.

Nothing is asked over the network and nothing is changed, so it also works when nothing else does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .config import NodeConfig
from .observe import observe

STALE_SECONDS = 5.0
"""A guard writes its status each second; one so old is that of a guard that hangs or is gone."""
HEARD_ASKS = 6
"""A machine that was heard within so many asks is there."""
MEMORY_LIMIT_SECONDS = 86_400.0
"""A node whose newest verified memory is older is not promoted (T440's site file decides)."""


def show(config: NodeConfig) -> int:
    """Print the status; 0 when a node serves as far as this machine knows, else 1."""
    seen = observe(config, {})
    for line in lines(config, seen):
        print(line)
    return 0 if who_serves(config, seen) else 1


def lines(config: NodeConfig, seen: dict[str, Any]) -> Iterator[str]:
    """What `observe` found -> the lines of the screen."""
    record = seen["record"]
    yield f"{config.name} knows:"
    yield _row("holder", _holder(seen) if record else "nobody")
    if seen["record_error"]:
        yield _row("RECORD", seen["record_error"])
    yield _row("serving", who_serves(config, seen) or "nobody, as far as this machine knows")
    yield from _votes(config, seen)
    if config.is_node:
        yield from _own(config, seen)
    for name in config.nodes:
        if name != config.name:
            why = why_not_promotable(config, seen, name)
            yield _row(f"{name} could take over", f"no: {why}" if why else "yes, as far as known")
    if config.is_node and record and record["holder"] != config.name:
        why = why_not_this(config, seen)
        yield _row("this node could take over", f"no: {why}" if why else "yes")


def _holder(seen: dict[str, Any]) -> str:
    """Whom the record names, and since when this machine knows that."""
    record, since = seen["record"], time.gmtime(seen["record_since"])
    known = time.strftime("%Y-%m-%d %H:%M:%S UTC", since)
    return f"{record['holder']}, epoch {record['epoch']}, known here since {known}"


def who_serves(config: NodeConfig, seen: dict[str, Any]) -> str:
    """The node that serves as this machine knows it, with how it knows; "" for none."""
    guard = seen["guard"]
    if config.is_node and seen["gateway"]["serving"]:
        if guard is None or guard["age"] > STALE_SECONDS:
            return f"{config.name}, and its guard is silent: the fuse will end it"
        left = max(0.0, guard["term_left"] - guard["age"])
        return f"{config.name} ({guard['state']}), its term has {left:.1f} s left"
    for name, heard in seen["heard"].items():
        if heard["serving_s"] is not None and is_recent(config, heard["serving_s"]):
            return f"{name}, which said so {heard['serving_s']:.1f} s ago"
    return ""


def why_not_promotable(config: NodeConfig, seen: dict[str, Any], name: str) -> str:
    """Why the node `name` cannot take over, as far as this machine knows; "" when it can."""
    heard = seen["heard"].get(name)
    record = seen["record"]
    if record and record["holder"] == name:
        return "it is the holder"
    if heard is None:
        return "it has not asked for a vote since this machine's boot"
    if not is_recent(config, heard["asked_s"]):
        return f"it last asked for a vote {heard['asked_s']:.0f} s ago: it is off, or cut off"
    if heard["epoch"] is None:
        return "it has no usable record"
    return ""


def is_recent(config: NodeConfig, age: float) -> bool:
    """Was what is so old heard within the last few asks?"""
    return age <= HEARD_ASKS * config.times.ask


def why_not_this(config: NodeConfig, seen: dict[str, Any]) -> str:
    """Why this node cannot take over now; "" when it can."""
    guard, memory = seen["guard"], seen["memory"]
    if guard is None:
        return "its guard does not run"
    if guard["age"] > STALE_SECONDS:
        return f"its guard has been silent for {guard['age']:.0f} s"
    if seen["record_error"]:
        return str(seen["record_error"])
    reached = [name for name, link in guard["links"].items() if is_answering(config, link)]
    if not reached:
        return "no voter answers it, so it can get no term"
    if memory is None:
        return "it has no verified memory"
    if memory["age_seconds"] > MEMORY_LIMIT_SECONDS:
        return f"its newest verified memory is {_age(memory['age_seconds'])} old"
    return ""


def _votes(config: NodeConfig, seen: dict[str, Any]) -> Iterator[str]:
    """Who lends a vote to whom, and for how long."""
    lent = seen["lent"]
    if lent is None:
        yield _row(f"vote of {config.name}", "free")
    else:
        to = (
            "nobody yet (it may have been lent before the boot)"
            if lent["to"] == "?"
            else lent["to"]
        )
        yield _row(f"vote of {config.name}", f"lent to {to} for another {lent['left']:.1f} s")
    for name, left in ((seen["guard"] or {}).get("terms") or {}).items():
        if name != config.name and left > 0:
            yield _row(f"vote of {name}", f"lent to {config.name}: a term of another {left:.1f} s")


def _own(config: NodeConfig, seen: dict[str, Any]) -> Iterator[str]:
    guard, memory, gateway = seen["guard"], seen["memory"], seen["gateway"]
    if guard is None:
        yield _row("guard", "does not run: nothing may serve here")
    else:
        stale = guard["age"] > STALE_SECONDS
        word = f"silent for {guard['age']:.0f} s" if stale else guard["state"]
        yield _row("guard", f"{word}: {guard['why']}" if guard["why"] else word)
        yield _row("term left", f"{max(0.0, guard['term_left'] - guard['age']):.1f} s")
        if guard["sole"]:
            yield _row("ALONE", "serves by a person's word, without the votes of the others")
        for name, link in guard["links"].items():
            yield _row(f"voter {name}", _link(config, link))
    live = {True: "live", False: "not live", None: "not asked"}[(guard or {}).get("live")]
    pids = ", ".join(map(str, gateway["pids"])) or "none"
    port = "open" if gateway["port_open"] else "closed"
    yield _row("gateway", f"{live}, processes {pids}, port {port}")
    yield _row("newest memory", f"{_age(memory['age_seconds'])} old" if memory else "none verified")
    yield _row("start", f"not now: {seen['why_not']}" if seen["why_not"] else "permitted")


def _link(config: NodeConfig, link: dict[str, Any]) -> str:
    if not is_answering(config, link) or link["trouble"]:
        return link["trouble"] or "does not answer"
    granted = "granted" if link["granted"] else "not granted"
    return f"answered {link['answered_s']:.1f} s ago, {granted}"


def is_answering(config: NodeConfig, link: dict[str, Any], age: float = 0.0) -> bool:
    """Has this voter answered lately, by a guard's report that is `age` seconds old?"""
    return link["answered_s"] is not None and is_recent(config, link["answered_s"] + age)


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _row(name: str, text: str) -> str:
    return f"  {name:<26} {text}"
