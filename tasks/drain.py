"""The holder's gateway ends its work and stays down for a while, by the drain of a move."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from prefect.logging import get_run_logger

from tasks.core.errors import DualJoeError, Refused, RemoteError
from tasks.core.move import MoveTimes
from tasks.core.site import Site
from tasks.core.state import Record
from tasks.deadline import check
from tasks.remote.local import call_local
from tasks.remote.nodes import node

LOCAL_SECONDS = 5.0


@contextlib.contextmanager
def drained(site: Site, record: Record, limit: float) -> Iterator[None]:
    """While this lasts the holder's gateway is down; a running agent may take `limit` seconds.

    The drain is renewed, and lapses by itself when T440 dies: then the holder's guard starts its
    gateway again. Raises Refused when the gateway does not end in time; it goes on then.
    """
    end, times = threading.Event(), MoveTimes()
    order = {"to": record.holder, "epoch": record.epoch, "seconds": times.drain_lasts}

    def renew() -> None:
        while True:
            with contextlib.suppress(DualJoeError):  # the next try comes before it lapses
                call_local(site.watchdog, "drain write", order, seconds=LOCAL_SECONDS)
            if end.wait(times.drain_renewed):
                return

    renewing = threading.Thread(target=renew, name="drain", daemon=True)
    renewing.start()
    try:
        wait_until_down(site, record.holder, limit)
        yield
    finally:
        end.set()
        renewing.join()
        try:
            call_local(site.watchdog, "drain end", seconds=LOCAL_SECONDS)
        except DualJoeError as error:
            get_run_logger().warning("the drain lapses by itself: %s", error)


def wait_until_down(site: Site, name: str, limit: float) -> None:
    """Raises Refused after `limit` seconds, RunOver when this run may not act any more."""
    until = time.monotonic() + limit
    while is_up(site, name):
        check()
        if time.monotonic() > until:
            raise Refused(
                f"the agent on {name} did not end its work within {limit:g} s: it goes on"
            )
        time.sleep(site.times.ask_seconds)  # the interval of looks, bounded by `until`


def is_up(site: Site, name: str) -> bool:
    """Whether a gateway runs there in whole or in part; what cannot be asked counts as up."""
    try:
        seen = node(site, name).call("observe", seconds=site.times.probe_seconds)
    except RemoteError as error:
        get_run_logger().warning("%s", error)
        return True
    return bool(seen["gateway"]["serving"])
