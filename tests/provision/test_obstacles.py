"""What only a person or root can do is said, with the very command, before Joe is disturbed."""

from __future__ import annotations

import pytest

from deployments.provision.places import GATEWAY
from deployments.provision.steps import Prefect, Step
from tests.provision.model import NO_UNIT, RUNNING, Model, at


def test_root_is_asked_for_before_joe_is_disturbed() -> None:
    model = Model(pc_a=RUNNING)
    model.change("t440", linger=False)
    sentences = [str(step) for step in model.steps_when_pinned()]
    assert at(sentences, "t440: run units of w") < at(sentences, "pc-a: stop its gateway")


def only_obstacle(model: Model, machine: str) -> Step:
    steps = [step for step in model.steps_when_pinned() if step.machine == machine and step.remedy]
    (step,) = steps
    assert step.order is None
    return step


@pytest.mark.parametrize(
    ("machine", "changes", "remedy"),
    [
        pytest.param(
            "pc-b",
            {"linger": False},
            "as root on pc-b, once: loginctl enable-linger openclaw02",
            id="a node without linger",
        ),
        pytest.param(
            "t440",
            {"linger": False},
            "as root on t440, once: loginctl enable-linger w",
            id="T440 without linger",
        ),
        pytest.param(
            "pc-a",
            {"units": None},
            "as root on pc-a: systemctl start user@1000.service",
            id="a user without a systemd",
        ),
        pytest.param(
            "pc-a",
            {"units": {GATEWAY: NO_UNIT}},
            "on pc-a, as openclaw01: openclaw gateway install",
            id="OpenClaw is not installed yet",
        ),
        pytest.param(
            "pc-a",
            {"missing": ("rrsync",)},
            "as root on pc-a: apt-get install openssh-client rsync coreutils",
            id="a program is missing",
        ),
        pytest.param(
            "pc-a",
            {"gateway_open": True},
            "end it on pc-a: openclaw gateway stop --force, or where it was started",
            id="a gateway that was started by hand",
        ),
        pytest.param(
            "pc-a", {"python": (3, 8)}, "it needs /usr/bin/python3 3.9 or newer", id="an old Python"
        ),
    ],
)
def test_what_a_person_must_do_is_said(
    machine: str, changes: dict[str, object], remedy: str
) -> None:
    model = Model()
    model.change(machine, **changes)
    assert only_obstacle(model, machine).remedy == remedy


def test_a_prefect_server_that_is_not_ours_is_left_alone() -> None:
    model = Model()
    model.prefect, model.foreign_prefect = Prefect(answers=True), True
    assert "that prefect-server.service did not start" in only_obstacle(model, "t440").remedy
