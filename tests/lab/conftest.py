"""The lab for its tests: skipped with the reason in words where it cannot run."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.lab import cache
from tests.lab.lab import Lab
from tests.lab.service import Service
from tests.lab.side_by_side import Fault, SideBySide

SECONDS = 300
FAULTS = pytest.StashKey[SideBySide]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, give it more time, and put it last.

    Last, because several labs run at once: no other test is to be measured beside them.
    """
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.lab)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))
    ours.sort(key=lambda item: is_fault(item))
    items[:] = [item for item in items if item not in ours] + ours


def is_fault(item: pytest.Item) -> bool:
    return "joe" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def ground() -> None:
    """The tools and the hosts' file system are there; skips, or fails where it must not skip."""
    try:
        cache.ensure_tools()
        cache.base()
    except cache.LabImpossible as error:
        give_up(error)


def give_up(error: cache.LabImpossible) -> NoReturn:
    """Skip in words; on a machine that is there to test, a lab that does not run is a failure."""
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
def joe(ground: None) -> None:
    """pc-a serves; after the test every invariant is audited. The service itself is made below."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test with `joe` has its own lab; the first of them begins with all of them."""
    if not is_fault(pyfuncitem):
        return None
    session = pyfuncitem.session
    if FAULTS not in session.stash:
        faults = (item for item in session.items if is_fault(item))
        session.stash[FAULTS] = SideBySide({item.nodeid: make_fault(item) for item in faults})
    outcome = session.stash[FAULTS].outcome(pyfuncitem.nodeid)
    print("\n".join(outcome.said))
    if isinstance(outcome.error, cache.LabImpossible):
        give_up(outcome.error)
    if outcome.error is not None:
        raise outcome.error
    return True


def make_fault(item: pytest.Item) -> Fault:
    """The test's function, waiting for its service alone."""
    assert isinstance(item, pytest.Function)
    given = item.callspec.params if hasattr(item, "callspec") else {}

    @functools.wraps(item.function)
    def run(joe: Service) -> object:
        return item.function(joe=joe, **given)

    is_real = item.get_closest_marker("openclaw") is not None
    return Fault(run, {"real": True} if is_real else {}, alone=is_real)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no lab behind, also when the session was cut short."""
    if FAULTS in session.stash:
        session.stash[FAULTS].close()
