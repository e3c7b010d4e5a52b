"""Prefect's server as we start it: many clients that write at once are all answered."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.worker.place import Place

CLIENTS, RUNS = 8, 25


def test_no_request_is_turned_away_because_another_one_wrote(place: Place) -> None:
    """Each order of a run reads the deployment and then writes; the plain server answers 503 to
    some of them."""
    deployment = place.deploy("quick")
    url = f"{place.server.api}/deployments/{deployment}/create_flow_run"
    body = {"state": {"type": "SCHEDULED"}}

    def order(client: int) -> Counter[int]:
        answers: Counter[int] = Counter()
        for _ in range(RUNS):
            # Not by PrefectApi, which asks again after a 503.
            answers[httpx.post(url, json=body, timeout=60).status_code] += 1
        return answers

    begun = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers: Counter[int] = sum(pool.map(order, range(CLIENTS)), Counter())
    print(f"{answers} in {time.monotonic() - begun:.1f} s")
    assert answers == {201: CLIENTS * RUNS}
