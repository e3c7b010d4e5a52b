"""`python -m deployments.worker --pool watch`: the in-process worker, one a pool.

SIGTERM and SIGINT end it with 0: runs that have not begun are left to the next worker, the others
end before their next effect, and a move that has written its record is waited for, 60 s at most.
It ends with 3 when a thread hangs past its deadline; whatever supervises it starts it again.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from prefect.settings import get_current_settings

from deployments.in_process import InProcessWorker
from deployments.running import Limits

PROJECT = Path(__file__).resolve().parents[1]
LAST_SECONDS = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Hold the pool, and serve it until told to stop."""
    options = parse(argv)
    try:
        held = hold_pool(options.pool)
    except BlockingIOError as error:
        sys.exit(str(error))
    os.chdir(options.root)  # paths in parameters count from there, as with a process worker
    sys.path.insert(0, str(options.root))
    try:
        code = asyncio.run(serve(options))
    finally:
        held.close()
    return code


async def serve(options: argparse.Namespace) -> int:
    """The worker's life; whatever is left of it is ended by force soon after."""
    limits = Limits(run=options.run_seconds, grace=options.grace_seconds)
    name = options.name or options.pool
    worker = InProcessWorker(options.pool, name, options.limit, options.root, limits)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stopping.set)
    return await worker.serve(lambda code: end_within(LAST_SECONDS, code))


def end_within(seconds: float, code: int) -> None:
    """End this process so soon, however many of its threads hang."""
    last = threading.Timer(seconds, os._exit, (code,))
    last.daemon = True
    last.start()


def hold_pool(pool: str) -> TextIO:
    """The lock of a pool, below PREFECT_HOME; the kernel frees it however this process ends.

    Raises BlockingIOError, in one sentence, when another worker has it.
    """
    path = get_current_settings().home / f"worker-{pool}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        other = lock.read().strip()
        lock.close()
        raise BlockingIOError(f"pool {pool} has a worker already: process {other}") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deployments.worker", description=__doc__)
    parser.add_argument("--pool", required=True, help="the work pool whose runs it takes")
    parser.add_argument("--name", help="its name in Prefect (the pool's)")
    parser.add_argument("--limit", type=int, default=6, help="runs at once (6)")
    parser.add_argument("--root", type=Path, default=PROJECT, help="the folder with the flows")
    parser.add_argument(
        "--run-seconds", type=float, default=600, help="deadline of a flow that sets none (600)"
    )
    parser.add_argument(
        "--grace-seconds", type=float, default=15, help="a thread hangs so long after it (15)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
