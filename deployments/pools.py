"""`python -m deployments.pools`: the work pools, each of the type that its worker has."""

from __future__ import annotations

import sys
from typing import NamedTuple

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from deployments.in_process import InProcessWorker

AnyWorker = InProcessWorker | ProcessWorker


class Pool(NamedTuple):
    """Which worker its runs need, and how many of them at once."""

    worker: type[AnyWorker]
    limit: int


# Six checks overlap while a node is silent; more would only make each of them slower.
POOLS = {"watch": Pool(InProcessWorker, 6), "data": Pool(ProcessWorker, 2)}


def worker_words(pool: str) -> str:
    """What follows `python -m` to start the worker of a pool."""
    return f"deployments.worker --pool {pool} --limit {POOLS[pool].limit}"


def is_process_pool(pool: str) -> bool:
    """Whether the runs of this pool are processes of their own; not known here: they are not."""
    return pool in POOLS and POOLS[pool].worker is ProcessWorker


def ensure_pools() -> list[str]:
    """Make each pool that is missing or of another type; returns a sentence for each one made.

    A pool that changed its type loses its deployments: deploy afterwards.
    """
    with get_client(sync_client=True) as client:
        made = (ensure_pool(client, name, pool.worker) for name, pool in POOLS.items())
        return [sentence for sentence in made if sentence]


def ensure_pool(client: SyncPrefectClient, name: str, worker: type[AnyWorker]) -> str:
    """Make one pool, in place of one of another type; "" when it was there."""
    found = read_type(client, name)
    if found == worker.type:
        return ""
    if found:
        client.delete_work_pool(name)
    template = worker.get_default_base_job_template()
    client.create_work_pool(WorkPoolCreate(name=name, type=worker.type, base_job_template=template))
    sentence = f"made pool {name} of type {worker.type}"
    return f"{sentence}, in place of {found}: deploy again" if found else sentence


def read_type(client: SyncPrefectClient, name: str) -> str:
    """The type of a pool; "" when there is none of this name."""
    try:
        return client.read_work_pool(name).type
    except ObjectNotFound:
        return ""


def main() -> int:
    """Say what was made."""
    for sentence in ensure_pools():
        print(sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
