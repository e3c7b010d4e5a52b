"""The plan: what is missing and nothing else, in an order that keeps Joe alive."""

from __future__ import annotations

import dataclasses
import json

import pytest

from deployments.provision.places import DROP_IN, FUSE, GATEWAY, GUARD, UNITS
from deployments.provision.plan import notes
from deployments.provision.steps import File
from tests.provision.model import RUNNING, Model, at
from tests.provision.sites import SITE, make_wanted


@pytest.fixture(scope="module")
def done() -> list[str]:
    """The steps from nothing, while Joe runs on pc-a."""
    return Model(pc_a=RUNNING).settle()


def test_from_nothing_to_all_and_a_second_run_has_nothing_to_do() -> None:
    model = Model()
    assert model.settle()
    assert model.steps() == [] and model.settle() == []


def test_it_goes_on_where_it_was_interrupted() -> None:
    """After every single step a new run makes exactly the steps that the first one had left."""
    whole = Model(pc_a=RUNNING).settle()
    model = Model(pc_a=RUNNING)
    for sentence in whole:
        step = model.steps()[0]
        assert str(step) == sentence
        model.make(step)
    assert model.steps() == []


def test_host_keys_are_pinned_first_and_each_after_a_question() -> None:
    model = Model()
    steps = model.steps()
    assert ["pin the host key" in step.sentence for step in steps[:4]] == [True, True, True, False]
    assert all("ssh-keygen -lf" in step.question for step in steps[:3])
    assert "SHA256:" in steps[1].sentence and "192.0.2.21, port 22" in steps[1].sentence


def test_nothing_is_ordered_on_a_node_whose_host_key_is_not_pinned() -> None:
    orders = [step for step in Model().steps() if step.machine != "t440" and step.order]
    assert orders == []


def test_the_running_joe_is_stopped_last_and_started_by_his_guard(done: list[str]) -> None:
    stop = at(done, "pc-a: stop its gateway")
    assert at(done, f"pc-b: start {GUARD}") < stop, "the other node votes by then"
    assert at(done, "t440: open export and answer") < stop, "so does T440"
    assert at(done, "t440: write the first record: pc-a") < stop
    assert stop < at(done, f"pc-a: write {UNITS}/{DROP_IN}") < at(done, f"pc-a: start {GUARD}")


def test_a_takeover_costs_one_restart_that_a_person_agreed_to() -> None:
    model = Model(pc_a=RUNNING)
    model.settle()
    assert model.killed == [], "no guard found a gateway"
    (asked,) = [question for question in model.questions if "Joe runs on" in question]
    assert asked.startswith("pc-a: Joe runs on pc-a and is restarted once")
    assert model.facts["pc-a"].unit(GATEWAY).runs


def test_before_the_stop_the_node_must_reach_both_voters() -> None:
    model = Model(pc_a=RUNNING)
    while "stop its gateway" not in (step := model.steps()[0]).sentence:
        model.make(step)
    assert step.order is not None
    script = step.order["argv"][2]
    t440, pc_b, ending = script.split(" && ")
    assert t440.endswith("-p 22 -l w 192.0.2.10 </dev/null") and "keys/ask" in t440
    assert pc_b.endswith("-p 2222 -l openclaw02 192.0.2.22 </dev/null")
    assert ending == f"systemctl --user --no-ask-password stop {GATEWAY}"


@pytest.mark.parametrize(
    ("gateways", "said"),
    [
        pytest.param(
            {}, "pc-a may serve, for it is the preferred node", id="nobody runs: preferred"
        ),
        pytest.param(
            {"pc_b": RUNNING}, "pc-b may serve, for Joe runs there", id="Joe runs on pc-b"
        ),
    ],
)
def test_the_first_record_names_the_node_with_the_memory(
    gateways: dict[str, object], said: str
) -> None:
    made = Model(**gateways).settle()  # type: ignore[arg-type]
    assert at(made, said)


def test_with_two_gateways_there_is_no_first_record() -> None:
    model = Model(pc_a=RUNNING, pc_b=RUNNING)
    (step,) = [step for step in model.steps_when_pinned() if "first record" in step.sentence]
    assert step.order is None and "openclaw gateway stop --force" in step.remedy


@pytest.mark.parametrize("machine", ["t440", "pc-a", "pc-b"])
def test_a_record_anywhere_is_never_written_over(machine: str) -> None:
    model = Model()
    model.change(machine, record=json.dumps({"epoch": 7, "holder": "pc-b"}))
    assert not [step for step in model.steps_when_pinned() if "first record" in step.sentence]


def test_a_second_run_restarts_no_guard_that_is_up_to_date() -> None:
    model = Model(pc_a=RUNNING)
    model.settle()
    model.now += 1000
    assert model.settle() == [] and model.questions[3:] and len(model.killed) == 0


def test_a_new_joe_pyz_and_its_guard_come_in_one_step_the_serving_node_last_and_asked() -> None:
    model = Model()
    model.settle()
    model.wanted, model.questions = make_wanted("a newer program"), []
    steps = [step for step in model.steps() if step.machine != "t440"]
    assert [(step.machine, step.drains) for step in steps] == [("pc-b", False), ("pc-a", True)]
    assert model.settle() == [
        "t440: put /home/w/.dualjoe/joe.pyz in place",
        f"pc-b: replace ~/.dualjoe/joe.pyz and restart {FUSE} and {GUARD}",
        f"pc-a: replace ~/.dualjoe/joe.pyz and restart {FUSE} and {GUARD}",
    ]
    assert len(model.questions) == 1 and "up to 60 s for what he is doing" in model.questions[0]


def test_new_settings_restart_what_has_read_the_old_ones() -> None:
    model = Model()
    model.settle()
    model.questions = []
    path = "~/.dualjoe/node.json"
    file = File("", 0o600, 1.0, model.facts["pc-a"].text(path).replace("pc-b", "pc-c", 1))
    model.change("pc-a", files={**model.facts["pc-a"].files, path: file})
    made = model.settle()
    assert [sentence.split(": it")[0] for sentence in made] == [
        f"pc-a: write {path}",
        f"pc-a: restart {FUSE}",
        f"pc-a: restart {GUARD}",
    ]
    assert len(model.questions) == 1


def test_a_worker_that_runs_old_code_is_restarted_and_the_server_is_not() -> None:
    model = Model()
    model.settle()
    assert model.wanted.deployment is not None
    newer = dataclasses.replace(model.wanted.deployment, code_mtime=model.now + 1)
    model.wanted = dataclasses.replace(model.wanted, deployment=newer)
    model.now += 2
    made = model.settle()
    assert [sentence.split(": it")[0] for sentence in made] == [
        "t440: restart prefect-worker-watch.service",
        "t440: restart prefect-worker-data.service",
    ]


def test_an_update_begins_on_t440_then_comes_the_standby_and_last_the_serving_node() -> None:
    model = Model()
    model.settle()
    newer = make_wanted("a newer program")
    assert newer.deployment is not None
    deployment = dataclasses.replace(newer.deployment, code_mtime=model.now + 1)
    model.wanted = dataclasses.replace(newer, deployment=deployment)
    model.now += 2
    assert [sentence.split(": ")[0] for sentence in model.settle()] == [
        *("t440", "t440", "t440"),
        "pc-b",
        "pc-a",
    ]


def test_a_gateway_that_its_guard_runs_is_no_obstacle() -> None:
    model = Model()
    model.settle()
    assert model.facts["pc-a"].gateway_open and model.steps() == []


def test_a_gateway_that_a_boot_would_start_is_disabled_on_both_nodes(done: list[str]) -> None:
    for name in SITE.nodes:
        assert at(done, f"{name}: let the guard start the gateway, not the boot")


def test_a_container_without_a_folder_is_told_of() -> None:
    model = Model()
    model.settle()
    assert "oc-core" in notes(SITE, model.seen())[0]
    path = str(SITE.watchdog.node_file)
    text = json.dumps({**json.loads(model.facts["t440"].text(path)), "sources": {"oc-core": "/c"}})
    model.change("t440", files={**model.facts["t440"].files, path: File("", 0o600, 1.0, text)})
    assert notes(SITE, model.seen()) == []


def test_without_units_nothing_is_said_to_systemd() -> None:
    model = Model(dataclasses.replace(make_wanted(), node_units=None, deployment=None))
    made = model.settle()
    assert not [sentence for sentence in made if "service" in sentence or "Prefect" in sentence]
    document = json.loads(model.facts["pc-a"].text("~/.dualjoe/node.json"))
    assert document["supervisor"] == "process"
