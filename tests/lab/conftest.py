"""The lab for its tests: skipped with the reason in words where it cannot run."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.lab import cache
from tests.lab.lab import Lab
from tests.lab.service import Service

SECONDS = 300
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder carries the marker `lab`, and has more time than other tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def ground() -> None:
    """The tools and the hosts' file system are there; skips, or fails where it must not skip."""
    try:
        cache.ensure_tools()
        cache.base()
    except cache.LabImpossible as error:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"the lab must run here, and cannot: {error}")
        pytest.skip(f"the lab cannot run here: {error}")


@pytest.fixture
def lab(ground: None) -> Iterator[Lab]:
    """Three plain hosts that are on."""
    with Lab() as made:
        made.start_all()
        yield made


@pytest.fixture
def joe(ground: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """pc-a serves; after the test every invariant is audited, not only the one at hand."""
    with Service(tmp_path) as made:
        yield made
        if request.node.stash.get(FAILED, False):
            print(made.report())
        made.audit()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixture know that its test failed, to show what the hosts say."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
