"""Tell a person: one alert a change, and only what was observed."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime

import apprise
from prefect import task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.journal import write_journal
from tasks.outbox import Message, is_empty, put, send_all

ADDRESSES = "DUALJOE_NOTIFY"
"""Environment variable: apprise URLs with spaces between them; else the Secret `<site>-notify`."""
LATE_SECONDS = 120.0
for _talkative in ("apprise", "urllib3"):  # at DEBUG they log the addresses, token and all
    logging.getLogger(_talkative).setLevel(logging.WARNING)
_LOG_LEVEL = {
    Level.OK: logging.INFO,
    Level.WARN: logging.WARNING,
    Level.CRITICAL: logging.CRITICAL,
}
_ADVICE = {
    Level.OK: "Nothing is to be done.",
    Level.WARN: "Joe serves, or did when this was written; something is missing for the next"
    " failover. Look: prefect deployment run status/{site}",
    Level.CRITICAL: "Joe does not serve, or may not. Look: prefect deployment run status/{site}. By"
    " hand: prefect deployment run force-failover/{site}",
}


@task(name="alert", cache_policy=NO_CACHE)
def alert(site: Site, level: Level, text: str) -> None:
    """One alert: a line in the journal and in the run's log, and a message to people.

    A notifier that is down is a warning; what it missed is sent when it is back.
    """
    write_journal(site, "alert", level=level.value, text=text)
    get_run_logger().log(_LOG_LEVEL[level], "%s", text)
    addresses = find_addresses(site)
    if not addresses:
        return
    try:
        put(site, Message(time.time(), level.value, text))
    except OSError as error:
        get_run_logger().warning("the alert is in the journal alone: %s", error)
        return
    send_waiting(site, addresses)


def send_missed(site: Site) -> None:
    """Send what a notifier missed while it was down; every check calls it, mostly for nothing."""
    if is_empty(site):
        return
    addresses = find_addresses(site)
    if addresses:
        send_waiting(site, addresses)


def send_waiting(site: Site, addresses: list[str]) -> None:
    """Oldest first; whether it worked is for the log, never an error."""
    try:
        notifier = apprise.Apprise()
        if not all([notifier.add(address) for address in addresses]):
            get_run_logger().warning("an address of the notifier is none that apprise knows")

        def send(message: Message) -> bool:
            title, body = as_mail(site, message)
            return bool(notifier.notify(title=title, body=body))

        sent, left = send_all(site, send)
    except Exception as error:  # whatever a notifier does, a check goes on; no text: it may be told
        get_run_logger().warning("the notifier failed: %s", type(error).__name__)
        return
    if left:
        get_run_logger().warning("%d messages sent, %d wait for the notifier", sent, left)


def as_mail(site: Site, message: Message) -> tuple[str, str]:
    """Title and body: what was seen and done, what it means, and the command to act."""
    advice = _ADVICE[Level(message.level)].format(site=site.site)
    late = time.time() - message.wall > LATE_SECONDS
    stamp = datetime.fromtimestamp(message.wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [message.text, advice, *([f"Written {stamp}, sent late."] if late else [])]
    return f"Joe ({site.site}): {message.level}", "\n".join(lines)


def find_addresses(site: Site) -> list[str]:
    """Where to send it; they are secrets, and go into no log, artifact or argv."""
    given = os.environ.get(ADDRESSES)
    if given is None:
        try:
            given = str(Secret.load(f"{site.site}-notify").get())  # type: ignore[union-attr]
        except ValueError:  # there is no such block
            return []
    return given.split()
