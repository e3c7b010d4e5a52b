"""One Prefect server for all tests of the worker, one pool and folder for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.place import Place, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("prefect") / "home")
    yield started
    started.stop()
    started.log.close()


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Iterator[Place]:
    made = Place(server, tmp_path)
    yield made
    made.close()
