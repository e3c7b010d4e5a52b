"""`joe.pyz answer`: what a voter takes for a question, and what it does when it cannot write."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployments.node.config import NodeConfig
from deployments.node.durable import locked
from deployments.node.kept import load_state, save_state, terms_file, terms_locked
from deployments.node.messages import FREE, UNKNOWN, Ask, Record, State
from deployments.node.record import adopt, record_file, record_lock, record_trust
from deployments.node.voter import answer_question
from deployments.node.wire import ask_line, parse_answer

from .loopback import PYTHON_PATH, RUN

NODES = ("pc-a", "pc-b")


@pytest.fixture
def t440(tmp_path: Path) -> NodeConfig:
    """A machine that votes, with the record {1, pc-a} and a free vote."""
    config = NodeConfig(
        "t440", tmp_path, tmp_path / "state", tmp_path / "run", nodes=NODES, supervisor="none"
    )
    adopt(config, Record(1, "pc-a"))
    free(config)
    return config


def free(config: NodeConfig) -> None:
    with terms_locked(config):
        state, _ = load_state(config)
        save_state(config, state, state._replace(vote=FREE))


def ask(**changes: Any) -> Ask:
    whole = Ask("pc-a", "boot", 100.0, Record(1, "pc-a"), True, False, None)
    return whole._replace(**changes)


def line(asked: Ask) -> bytes:
    return ask_line(asked).encode() + b"\n"


def answered(config: NodeConfig, asked: Ask, door: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer_question(config, line(asked), door))
    return found


def test_a_free_vote_is_lent_and_written_before_the_answer(t440: NodeConfig) -> None:
    told = answered(t440, ask())
    assert (told["granted"], told["boot_id"], told["t"]) == (True, "boot", 100.0)
    assert json.loads(terms_file(t440).read_text())["vote"][:2] == ["pc-a", 1]
    assert answered(t440, ask(sender="pc-b", want=True))["granted"] is False


def test_a_higher_record_is_on_the_disk_before_the_answer(t440: NodeConfig) -> None:
    told = answered(t440, ask(sender="pc-b", record=Record(2, "pc-b")))
    assert (told["epoch"], told["holder"]) == (2, "pc-b")
    assert json.loads(record_file(t440).read_text()) == {"epoch": 2, "holder": "pc-b"}


RUN_FILES = {
    "missing": None,
    "torn": '{"vote": ["", 0',
    "of another boot": '{"boot_id": "other", "vote": ["", 0, 0.0], "heard": {}, "missing": [],'
    ' "drain": null, "sole": 0}',
}


@pytest.mark.parametrize("text", RUN_FILES.values(), ids=RUN_FILES)
def test_without_a_file_of_this_boot_the_vote_counts_as_lent(
    t440: NodeConfig, text: str | None
) -> None:
    terms_file(t440).unlink()
    if text is not None:
        terms_file(t440).write_text(text)
    assert answered(t440, ask())["granted"] is False
    vote = load_state(t440)[0].vote
    assert vote.to == UNKNOWN
    assert answered(t440, ask())["granted"] is False
    assert load_state(t440)[0].vote == vote, "the wait does not begin anew with each ask"


RECORDS = {
    "empty": "",
    "torn": '{"epoch": 1, "hol',
    "from a later program": '{"epoch": 1, "holder": "pc-a", "format": 2}',
    "of no node": '{"epoch": 1, "holder": "pc-z"}',
    "of an epoch that cannot be": '{"epoch": 1000000000001, "holder": "pc-a"}',
    "no JSON object": "[]",
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", RECORDS.values(), ids=RECORDS)
def test_with_an_unusable_record_t440_lends_nothing_until_both_nodes_have_asked(
    t440: NodeConfig, text: str
) -> None:
    record_file(t440).write_text(text)
    state, trouble = load_state(t440)
    assert state.record is None and "cannot be used" in trouble and "remove it" in trouble
    assert answered(t440, ask())["granted"] is False
    assert answered(t440, ask(sender="pc-b", record=None, want=False))["granted"] is False
    assert load_state(t440)[0].record == Record(1, "pc-a"), "the highest that was heard of"
    assert answered(t440, ask())["granted"] is True


def test_a_person_can_end_the_wait_for_a_node_that_is_off(t440: NodeConfig) -> None:
    record_file(t440).unlink()
    answered(t440, ask())
    assert record_trust(t440, {}) == {"record": {"epoch": 1, "holder": "pc-a"}}


def test_a_record_of_another_user_is_none(t440: NodeConfig) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(record_file(t440), 65534, 65534)
    state, trouble = load_state(t440)
    assert state.record is None and "belongs to user 65534" in trouble


LINES = {
    "no JSON": b"hello",
    "another version": line(ask()).replace(b'"v":1', b'"v":2'),
    "another door's node": line(ask(sender="pc-b")),
    "no node": line(ask(sender="t440")),
    "a holder that is no node": line(ask(record=Record(3, "pc-z"))),
    "a time that is no number": line(ask()).replace(b"100.0", b"NaN"),
    "want is text": line(ask()).replace(b"true", b'"yes"', 1),
    "too long": line(ask()) + b" " * 5000,
    "deep": b"[" * 4000,
}


@pytest.mark.parametrize("sent", LINES.values(), ids=LINES)
def test_what_is_no_question_of_this_node_changes_nothing(t440: NodeConfig, sent: bytes) -> None:
    before = terms_file(t440).read_bytes()
    with pytest.raises(ValueError):
        answer_question(t440, sent, "pc-a")
    assert terms_file(t440).read_bytes() == before


def test_a_lock_that_is_not_freed_is_a_refusal_in_time(t440: NodeConfig) -> None:
    with locked(record_lock(t440)):
        told = answered(t440, ask())
    assert "another process holds" in told["error"]
    with pytest.raises(ValueError, match="another process holds"):
        parse_answer(json.dumps(told, separators=(",", ":")))


def write_node_file(config: NodeConfig) -> Path:
    file = config.home / "node.json"
    names = ("name", "home", "state", "run", "supervisor")
    known = {name: str(getattr(config, name)) for name in names}
    file.write_text(json.dumps({**known, "nodes": NODES}))
    return file


def test_many_lines_on_one_connection_and_a_full_disk_lends_nothing(t440: NodeConfig) -> None:
    """No byte can be written any more (RLIMIT_FSIZE): the answer is a refusal, and no vote."""
    environment = {"DUALJOE_NODE": str(write_node_file(t440)), "PYTHONPATH": PYTHON_PATH}
    lines = line(ask()) + line(ask(t=101.0))

    def answers(prepare: Any) -> list[dict[str, Any]]:
        done = subprocess.run(
            (*RUN, "answer", "pc-a"),
            input=lines,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=30,
            preexec_fn=prepare,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    assert [told["granted"] for told in answers(None)] == [True, True]
    free(t440)
    assert all("error" in told and "granted" not in told for told in answers(full))
    assert load_state(t440)[0].vote == FREE


def test_on_a_full_disk_a_record_is_not_adopted_and_nobody_is_told_so(t440: NodeConfig) -> None:
    new = State(Record(2, "pc-b"))
    with terms_locked(t440):
        old, _ = load_state(t440)
        with pytest.raises(OSError):
            save_state(NodeConfig("t440", t440.home, Path("/proc"), t440.run), old, new)
    assert load_state(t440)[0].record == Record(1, "pc-a")
