"""`python -m deployments.server`: Prefect's server, without two faults on SQLite, and less busy.

Python's collector runs in whichever thread allocates, here the server's only event loop. When it
finds a SQLite cursor whose connection waits for the database in another thread, it waits for that
connection with the interpreter's lock held: nothing runs any more, not even the commit that the
connection waits for, until SQLite's busy timeout of 60 s has passed (seen in every second demo).
Collecting once a minute instead of many times a second makes that as good as impossible.

A transaction that reads before it writes fails at once when another one wrote in between, whatever
the busy timeout is: the server answers 503, and its client asks again 2 s later or more. A check
then begins late, or is not ordered. Beginning every transaction as one that writes makes it wait
its turn, which is milliseconds.

Each look at a schedule reads the names of all time zones from the disk (2.4 ms): once is enough.

Its queue of background tasks looks around four times a second for what nobody orders here so often:
once a second costs T440 a fifth less (2.2 % of a core instead of 2.9 %, with nothing to do).
"""

from __future__ import annotations

import functools
import gc
import ipaddress
import itertools
import os
import runpy
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from prefect._internal.schemas import validators
from prefect.server.api import background_workers
from prefect.server.database import configurations

PROTECTED_BY = "PREFECT_SERVER_API_AUTH_STRING"
HOST = "PREFECT_SERVER_API_HOST"
COLLECT_SECONDS = 60.0
LOOK_AROUND = timedelta(seconds=1)


def collect_now_and_then() -> None:
    """Free cyclic garbage once a minute, for as long as the server runs."""
    while True:
        time.sleep(COLLECT_SECONDS)
        gc.collect()
        if not gc.get_freeze_count():  # what the start has made stays: no need to look at it again
            gc.freeze()


def begin_as_writers() -> None:
    """Have SQLite transactions take the write lock when they begin, and wait for it there."""
    kind = configurations.AioSqliteConfiguration
    begin = kind.begin_transaction

    def begin_transaction(self: Any, session: Any, with_for_update: bool = True) -> Any:
        return begin(self, session, with_for_update=True)

    kind.begin_transaction = begin_transaction  # type: ignore[method-assign]


def look_around_less() -> None:
    """Have the queue of background tasks look for new and due ones once a second."""
    queue: Any = background_workers
    queue.Worker = functools.partial(
        queue.Worker, minimum_check_interval=LOOK_AROUND, scheduling_resolution=LOOK_AROUND
    )


def remember_time_zones() -> None:
    """Read the names of the time zones once."""
    module: Any = validators
    module.get_timezones = functools.cache(module.get_timezones)


def refusal(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Why the server must not be started with these words; "" when it may be.

    Whoever reaches Prefect's API can move Joe and run what he likes on T440: it is for T440 itself,
    or behind a password.
    """
    options = " ".join(words).replace("=", " ").split()
    given = dict(itertools.pairwise(options))
    host = given.get("--host") or environment.get(HOST) or "127.0.0.1"
    if environment.get(PROTECTED_BY) or is_loopback(host):
        return ""
    return (
        f"Prefect's API on {host} without a password would let anybody there move Joe.\n"
        "Remedy: leave it on 127.0.0.1 and open the UI through `ssh -L 4200:127.0.0.1:4200`; or set"
        f" {PROTECTED_BY}=user:password for the server and the workers, and write the same into the"
        " `auth_file` of T440's trigger"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> None:
    """Run `prefect server start` with the words of the command line."""
    if why := refusal(sys.argv[1:], os.environ):
        sys.exit(why)
    begin_as_writers()
    look_around_less()
    remember_time_zones()
    gc.disable()
    threading.Thread(target=collect_now_and_then, daemon=True).start()
    sys.argv = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
