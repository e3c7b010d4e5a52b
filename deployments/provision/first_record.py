"""Who may serve at first. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deployments.provision.places import GATEWAY, machines, places
from deployments.provision.steps import Facts, Seen, Step, run
from tasks.core.site import Site


def first_record(site: Site, seen: Seen) -> Iterator[Step]:
    """{1, holder} on T440, only when no machine has a record.

    The holder is the node where Joe runs already, for that is where its memory is; else the
    preferred one.
    """
    watchdog, names = site.watchdog.name, machines(site)
    if any(facts.record for facts in seen.facts.values()):
        return
    running = [name for name in site.nodes if name in seen.facts and is_running(seen.facts[name])]
    if len(running) > 1:
        yield Step(
            watchdog,
            "write the first record: both nodes run a gateway, and only one of them may be Joe",
            remedy="stop the one with the older memory: openclaw gateway stop --force",
        )
        return
    holder = running[0] if running else site.preferred
    why = "Joe runs there" if running else "it is the preferred node"
    order = None
    if all(name in seen.facts for name in names):
        where = places(site, watchdog).at(seen.facts[watchdog].home)
        words = ("/usr/bin/env", f"DUALJOE_NODE={where.node_file}", where.python, "-IS", where.joe)
        given = json.dumps({"epoch": 1, "holder": holder})
        order = run(*words, "record", "write", text=given)
    yield Step(watchdog, f"write the first record: {holder} may serve, for {why}", order)


def is_running(facts: Facts) -> bool:
    """Does a gateway run there, or listen?"""
    return facts.gateway_open or facts.unit(GATEWAY).runs
