"""`python -m deployments.worker --pool watch`: the worker of a pool, one a pool.

Of `data` it is Prefect's process worker, once what an earlier one left is reported. Of any other
pool it is the in-process worker. SIGTERM and SIGINT end that one with 0: runs that have not begun
are left to the next worker, the others end before their next effect, and a move that has written
its record is waited for, 60 s at most. It ends with 3 when a thread hangs past its deadline;
whatever supervises it starts it again.
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
from typing import NoReturn, TextIO

from prefect.client.orchestration import get_client
from prefect.logging import get_logger
from prefect.settings import get_current_settings

from deployments.in_process import InProcessWorker
from deployments.pools import is_process_pool
from deployments.reports import Reports
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
    if is_process_pool(options.pool):
        asyncio.run(report_orphans(options.pool))
        become_process_worker(options, held)
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


async def report_orphans(pool: str) -> None:
    """Report what an earlier worker of the pool left; waits for Prefect's server."""
    logger = get_logger("worker")
    async with get_client() as client:
        reports = Reports(lambda: client, logger)
        while True:
            try:
                orphans = await reports.tell_orphans(pool)
                break
            except Exception as error:  # whatever it is, the next try may go well
                logger.warning("Prefect's server gives no answer, will ask on: %r", error)
                await asyncio.sleep(get_current_settings().worker.query_seconds)
    for orphan in orphans:
        logger.warning("reported as Crashed: %s, left by an earlier worker", orphan.name)


def become_process_worker(options: argparse.Namespace, held: TextIO) -> NoReturn:
    """Go on as Prefect's process worker, which holds the pool's lock for as long as it lives."""
    os.set_inheritable(held.fileno(), True)
    name = options.name or options.pool
    words = ("worker", "start", "--pool", options.pool, "--name", name)
    limit = ("--limit", str(options.limit))
    os.execv(sys.executable, (sys.executable, "-m", "prefect", *words, *limit))  # noqa: S606


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
