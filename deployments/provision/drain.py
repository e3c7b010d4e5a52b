"""The gateway of a node ends its work, on T440's word, before provisioning restarts its guard."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from deployments.provision.hands import Hands
from deployments.provision.places import places
from deployments.provision.steps import run
from tasks.core.errors import CommandFailed, DualJoeError, Refused
from tasks.core.site import Site

LASTS_SECONDS = 10.0
RENEWED_SECONDS = 3.0
LOOK_SECONDS = 1.0


@contextlib.contextmanager
def drained(site: Site, hands: Hands, name: str) -> Iterator[None]:
    """While this lasts the gateway of node `name` is down, if the record names that node.

    It may take the site's drain limit for what it is doing. The drain is renewed, and lapses by
    itself when this program dies: then the node's guard starts it again. Raises Refused when it
    does not end in time: it goes on then, and is started anew after what it does.
    """
    watchdog, ended = site.watchdog.name, threading.Event()
    record = call(site, hands, watchdog, "record read")["record"]
    if not record or record["holder"] != name:
        yield
        return
    wish = {"to": name, "epoch": record["epoch"], "seconds": LASTS_SECONDS}

    def renew() -> None:
        while not ended.wait(RENEWED_SECONDS):
            with contextlib.suppress(DualJoeError):  # the next try comes before it lapses
                call(site, hands, watchdog, "drain write", wish)

    call(site, hands, watchdog, "drain write", wish)
    renewing = threading.Thread(target=renew, name="drain", daemon=True)
    renewing.start()
    try:
        wait_until_down(site, hands, name)
        yield
    finally:
        ended.set()
        renewing.join()
        with contextlib.suppress(DualJoeError):  # it lapses by itself
            call(site, hands, watchdog, "drain end")


def wait_until_down(site: Site, hands: Hands, name: str) -> None:
    """Raises Refused when the gateway still runs after the site's drain limit."""
    limit = site.times.drain_limit_seconds
    until = time.monotonic() + limit
    while call(site, hands, name, "observe")["gateway"]["serving"]:
        if time.monotonic() > until:
            raise Refused(f"what Joe does on {name} did not end within {limit:g} s: he goes on")
        time.sleep(LOOK_SECONDS)  # the interval of looks, bounded by `until`


def call(
    site: Site, hands: Hands, machine: str, verb: str, params: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One verb of joe.pyz on a machine. Raises CommandFailed when it says no."""
    where = places(site, machine)
    home = hands.home(machine)
    node_file, joe = (where.at(home).node_file, where.at(home).joe)
    words = ("/usr/bin/env", f"DUALJOE_NODE={node_file}", where.python, "-IS", joe, *verb.split())
    said = hands.do(machine, run(*words, seconds=20.0, text=json.dumps(params or {})))["said"]
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        raise CommandFailed(machine, f"{verb}: no JSON: {said[:200]!r}", 0) from None
    return answer
