"""By hand: take over what the guard of a store refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from flows.limits import long
from flows.memory_sync import sync
from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.journal import is_moving, sync_lock
from tasks.memory import STORE as MEMORY
from tasks.notify import alert
from tasks.record import read_record
from tasks.refusals import Rejected, accept_rejected, find_rejected, note_taken
from tasks.sites import DEFAULT_SITE, load_site

Reason = Annotated[str, long(3, 1000)]


@flow(name="accept", flow_run_name="Accept {snapshot}")
def accept(snapshot: str, reason: Reason, site_file: Path = DEFAULT_SITE) -> str:
    """Take over memory or a backup that was refused because it looked like a loss.

    Memory is then synced at once, and what has changed since is judged against what was accepted.

    Args:
        snapshot: the id, as the alert names it.
        reason: why it is right, for the manifest; 3 to 1000 characters.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_moving(site):
        raise Refused("a move is under way: accept it afterwards")
    rejected = find_rejected(site, snapshot)
    if rejected.store == MEMORY:
        with sync_lock(site, site.times.pull_limit_seconds):
            require_current(site, rejected)
            accept_rejected(site, rejected, reason)
    else:
        accept_rejected(site, rejected, reason)
    text = f"Accepted {snapshot}, {rejected.store} on {rejected.node}: {reason}"
    alert(site, Level.OK, text)
    if rejected.store == MEMORY:
        limit = site.times.pull_limit_seconds
        sync(site, rejected.origin, rejected.node, rejected.epoch, limit)
        note_taken(site, f"Memory of {rejected.origin}")
    return text


def require_current(site: Site, rejected: Rejected) -> None:
    """Raises Refused when the node that it came from is not the holder of that epoch any more."""
    record = read_record(site)
    if (rejected.origin, rejected.epoch) != (record.holder, record.epoch):
        raise Refused(
            f"{rejected.snapshot} came from {rejected.origin} at epoch {rejected.epoch}; now it is"
            f" epoch {record.epoch} for {record.holder}, whose memory is the one in use"
        )
