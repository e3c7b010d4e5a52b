"""`python -m deployments.server`: Prefect's server, with a garbage collector that cannot freeze it.

Python's collector runs in whichever thread allocates, here the server's only event loop. When it
finds a SQLite cursor whose connection waits for the database in another thread, it waits for that
connection with the interpreter's lock held: nothing runs any more, not even the commit that the
connection waits for, until SQLite's busy timeout of 60 s has passed (seen in every second demo).
Collecting once a minute instead of many times a second makes that as good as impossible.
"""

from __future__ import annotations

import gc
import runpy
import sys
import threading
import time

COLLECT_SECONDS = 60.0


def collect_now_and_then() -> None:
    """Free cyclic garbage once a minute, for as long as the server runs."""
    while True:
        time.sleep(COLLECT_SECONDS)
        gc.collect()


def main() -> None:
    """Run `prefect server start` with the words of the command line."""
    gc.disable()
    threading.Thread(target=collect_now_and_then, daemon=True).start()
    sys.argv = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
