"""Flows in this process, against a real Prefect server and three real machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness

from tests.site_machines import Ground, ground


@pytest.fixture(scope="session")
def prefect() -> Iterator[None]:
    """One Prefect server for all tests of flows."""
    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture
def place(prefect: None) -> Iterator[Ground]:
    """Three machines that are on, with guards; pc-a serves, and pc-b has no memory yet."""
    with ground() as made:
        made.serve()
        yield made


@pytest.fixture
def serving(place: Ground) -> Ground:
    """pc-a serves, and pc-b has its memory."""
    from flows.memory_sync import memory_sync

    memory_sync(place.site_file)
    return place
