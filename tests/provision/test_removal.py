"""`--remove`: nothing of ours stays, the data does, and there are never two Joes."""

from __future__ import annotations

from deployments.provision.places import GATEWAY, GUARD
from tests.provision.model import RUNNING, Model, at


def test_a_removal_leaves_nothing_of_ours_and_a_gateway_that_starts_as_before() -> None:
    model = Model(pc_a=RUNNING)
    before = {name: facts.files for name, facts in model.facts.items()}
    model.settle()
    model.settle(remove=True)
    for name, facts in model.facts.items():
        assert facts.files == before[name], name
        assert name == "t440" or facts.unit(GUARD).load == "not-found"
    assert model.facts["pc-a"].unit(GATEWAY).runs
    assert model.facts["pc-a"].unit(GATEWAY).enabled == "enabled"
    assert not model.facts["pc-b"].unit(GATEWAY).runs
    assert model.facts["t440"].record, "data stays"


def test_a_removal_takes_the_serving_node_last_and_asks() -> None:
    model = Model(pc_a=RUNNING)
    model.settle()
    model.questions = []
    made = model.settle(remove=True)
    assert at(made, "t440: stop prefect-worker-watch") < at(made, f"pc-b: stop {GUARD}")
    assert at(made, f"pc-b: stop {GUARD}") < at(made, f"pc-a: stop {GUARD}")
    assert len(model.questions) == 1 and model.questions[0].startswith("pc-a: Joe runs on pc-a")


def test_a_removal_of_nothing_has_no_steps() -> None:
    assert Model().steps(remove=True) == []


def test_a_removal_can_be_interrupted_after_every_step() -> None:
    model = Model(pc_a=RUNNING)
    model.settle()
    whole = Model(pc_a=RUNNING)
    whole.settle()
    for sentence in whole.settle(remove=True):
        step = model.steps(remove=True)[0]
        assert str(step) == sentence
        model.make(step)
    assert model.steps(remove=True) == []
