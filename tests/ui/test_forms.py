"""Every form of the UI as a person sees it: what is wrong is said, what is right is done.

`make test-ui` runs it; `make test` skips it, for it takes ten minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from tests.bench.world import World, world
from tests.ui.browser import Browser

RUN_SECONDS = 180.0
SUBMIT = "document.querySelector('button[type=submit]')"
Values = Mapping[str, str | float | bool]
pytestmark = pytest.mark.timeout(900)


class Forms:
    """The forms of one Prefect; the machines behind it are real."""

    def __init__(self, browser: Browser, place: World) -> None:
        self.browser, self.place = browser, place
        self.ui = place.server.api.removesuffix("/api")

    def submit(self, flow: str, values: Values) -> None:
        """Fill the form of a deployment and submit it."""
        self.browser.open(f"{self.ui}/deployments/deployment/{self.place.id_of(f'{flow}/joe')}/run")
        self.browser.wait_for(SUBMIT, "the form is there")
        for label, value in values.items():
            self.browser.wait_for(f"joe.field('{label}')", f"the field {label}")
            self.browser.fill(label, value)
        self.browser.ask(f"{SUBMIT}.click()")

    def complaint(self, flow: str, values: Values) -> str:
        """What the form itself says about these values; no run is made of them."""
        before = self.count(flow)
        self.submit(flow, values)
        said = "[...document.querySelectorAll('.p-label__message')].map(one => one.innerText)"
        self.browser.wait_for(f"{said}.length", f"{flow} complains of {dict(values)}")
        assert self.count(flow) == before, "a run was made of it"
        return str(self.browser.ask(f"{said}.join(' ')"))

    def run(self, flow: str, values: Values) -> dict[str, Any]:
        """The run that the form makes, once it has ended."""
        before = self.count(flow)
        self.submit(flow, values)
        # The form takes over a value some time after the last key, and may miss it at first.
        again = "document.querySelector('.p-label__message') && " + SUBMIT

        def is_made() -> bool:
            if self.count(flow) > before:
                return True
            self.browser.ask(f"{again}?.click()")
            return False

        wait_until(is_made, RUN_SECONDS, f"a run of {flow}", pause=0.3)
        return self.place.server.wait_for_run(self._runs(flow)[0]["id"], RUN_SECONDS)

    def holder(self) -> str:
        return str(self.place.call("pc-b", "record read")["record"]["holder"])

    def count(self, flow: str) -> int:
        return len(self._runs(flow))

    def _runs(self, flow: str) -> list[dict[str, Any]]:
        """Those ordered by hand, the newest first."""
        body = {
            "deployments": {"id": {"any_": [self.place.id_of(f"{flow}/joe")]}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": 100,
        }
        found: list[dict[str, Any]] = self.place.server.request("/flow_runs/filter", body)
        return [run for run in found if not run["auto_scheduled"]]


@pytest.fixture(scope="module")
def forms() -> Iterator[Forms]:
    if not os.environ.get("DUALJOE_UI"):
        pytest.skip("make test-ui runs it")
    with Browser() as browser, world() as place:
        yield Forms(browser, place)


REFUSED_BY_THE_FORM: list[tuple[str, Values]] = [
    ("force-failover", {}),
    ("pause", {"hours": 1}),
    ("accept", {"reason": "as it should be"}),
    ("restore-backup", {"source": "oc-core"}),
]


@pytest.mark.parametrize(
    ("flow", "values"),
    [pytest.param(*one, id=f"{one[0]} {dict(one[1])}") for one in REFUSED_BY_THE_FORM],
)
def test_the_form_says_what_is_wrong_and_makes_no_run(
    forms: Forms, flow: str, values: Values
) -> None:
    assert "is a required property" in forms.complaint(flow, values)


REFUSED_BY_THE_RUN: list[tuple[str, Values, str]] = [
    ("switchover", {"drain_seconds": 0}, "must be from 1 to 600 s, not 0"),
    ("pause", {"reason": "no"}, "must have 3 to 500 characters, not 2"),
    ("force-failover", {"confirm": "yes"}, 'type confirm="pc-b"'),
    ("failback", {}, "pc-a is the holder already"),
    ("pause", {"reason": "a new disk", "node": "pc-c"}, "there is no node 'pc-c'"),
    ("accept", {"snapshot": "x", "reason": "as it should be"}, "x"),
    ("restore-memory", {"snapshot": "x"}, "x"),
    ("restore-backup", {"source": "oc-none", "target": "/tmp/x"}, "oc-none"),  # noqa: S108
]


@pytest.mark.parametrize(
    ("flow", "values", "said"),
    [pytest.param(*one, id=f"{one[0]} {dict(one[1])}") for one in REFUSED_BY_THE_RUN],
)
def test_the_run_says_what_was_refused(forms: Forms, flow: str, values: Values, said: str) -> None:
    run = forms.run(flow, values)
    assert run["state_type"] == "FAILED", run["state"]
    assert said in run["state"]["message"], run["state"]["message"]


def test_every_form_does_what_it_says(forms: Forms) -> None:
    """In the order of a life: copies, a look, a pause, restores, moves."""

    def done(flow: str, **values: str | float | bool) -> None:
        run = forms.run(flow, values)
        told = f"{run['name']}: {run['state_name']}: {run['state']['message']}"
        print(f"{flow} {values or ''}: {told}")
        assert run["state_type"] == "COMPLETED", told

    three = forms.place.three
    for flow in ("health-check", "memory-sync", "backup-primary-tier", "backup-dr-tier"):
        done(flow)
    for flow in ("scrub", "drill", "status", "acknowledge"):
        done(flow)
    done("pause", reason="a new disk", hours=2, by="me")
    done("resume")
    done("restore-memory")
    folder = three.nodes["pc-a"].home / "restored"
    done("restore-backup", source="oc-core", target=str(folder), tier="primary", dry_run=True)
    assert not folder.exists()
    done("restore-backup", source="oc-core", target=str(folder), tier="primary", dry_run=False)
    assert any(folder.iterdir())
    for note in (three.workspace("pc-a") / "memory").rglob("*.md"):
        note.unlink()
    refused = forms.run("memory-sync", {})
    told = refused["state"]["message"]
    assert refused["state_type"] == "FAILED" and "refused as " in told, told
    snapshot = told.partition("refused as ")[2].partition(":")[0]
    done("accept", snapshot=snapshot, reason="it was tidied up")
    done("switchover", drain_seconds=30)
    done("failback", drain_seconds=30)
    done("force-failover", confirm="pc-b")
    assert forms.holder() == "pc-b"

    def is_home() -> bool:  # the other tests begin there; a check may have begun the failback
        if forms.holder() != "pc-a":
            forms.run("failback", {"drain_seconds": 30})
        return forms.holder() == "pc-a"

    wait_until(is_home, RUN_SECONDS, "pc-a serves again")
