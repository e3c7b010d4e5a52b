"""Before provisioning restarts a serving node's guard its gateway ends its work: real guards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.ground import make_key, read_public
from deployments.demo.processes import wait_until
from deployments.provision.drain import drained
from deployments.provision.hands import Hands
from tasks.core.errors import Refused
from tasks.core.site import Site
from tasks.core.state import Health
from tests.site_machines import SECONDS, Ground, ground


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground() as made:
        made.serve()
        yield made


@pytest.fixture
def hands(place: Ground, tmp_path: Path) -> Hands:
    """With a key that opens a shell on both nodes, as a person's does."""
    make_key(tmp_path / "user", "me@laptop")
    for machine in place.three.nodes.values():
        with (machine.etc / "authorized_keys").open("a") as file:
            file.write(f"{read_public(tmp_path / 'user')}\n")
    return Hands(place.site, tmp_path / "user")


def is_serving(place: Ground, name: str) -> bool:
    return bool(place.call(name, "observe")["gateway"]["serving"])


def pids(place: Ground, name: str) -> list[int]:
    found: list[int] = place.call(name, "observe")["gateway"]["pids"]
    return found


def test_the_gateway_is_down_while_it_lasts_and_back_afterwards(
    place: Ground, hands: Hands
) -> None:
    with drained(place.site, hands, "pc-a"):
        assert not is_serving(place, "pc-a")
        assert place.guard("pc-a") != "serving"
    place.await_health("pc-a", Health.OK)


def test_nobody_is_drained_where_the_record_names_another(place: Ground, hands: Hands) -> None:
    with drained(place.site, hands, "pc-b"):
        assert is_serving(place, "pc-a") and place.health("pc-a") is Health.OK


def test_a_run_that_does_not_end_in_time_goes_on(place: Ground, hands: Hands) -> None:
    """Its gateway was told to end after it, and is started anew then."""
    times = place.site.times.model_copy(update={"drain_limit_seconds": 3.0})
    site: Site = place.site.model_copy(update={"times": times})
    before = pids(place, "pc-a")
    place.fault("pc-a", "run", on=True)
    try:
        with pytest.raises(Refused, match="he goes on"), drained(site, hands, "pc-a"):
            raise AssertionError("it was not drained")
        assert pids(place, "pc-a") == before
    finally:
        place.fault("pc-a", "run", on=False)
    wait_until(lambda: pids(place, "pc-a") not in ([], before), SECONDS, "another gateway")
    place.await_health("pc-a", Health.OK)
