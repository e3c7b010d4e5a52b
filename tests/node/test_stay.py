"""`stay`: one program that answers cheap questions line by line, and knows when to end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .loopback import Node


class Stay:
    """The program, and what it says to one line."""

    def __init__(self, node: Node) -> None:
        argv, environment = node.command("stay")
        self.process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, line: str) -> dict[str, Any] | None:
        """The answer, None when it ended instead."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answered = self.process.stdout.readline()
        return json.loads(answered) if answered else None

    def ask(self, verb: str, **params: Any) -> dict[str, Any]:
        found = self.say(json.dumps({"verb": verb, "params": params}))
        assert found is not None
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, "pc-a", nodes=["pc-a", "pc-b"])


@pytest.fixture
def program(node: Node) -> Iterator[Stay]:
    made = Stay(node)
    yield made
    made.close()


def test_it_answers_as_the_verb_itself_does_and_goes_on(node: Node, program: Stay) -> None:
    alone = {key: value for key, value in node.rpc("observe").items() if key != "exit"}
    for _ in range(3):
        told = program.ask("observe")
        assert told["status"] == 0
        assert told["answer"].keys() == alone.keys()
    assert told["answer"]["name"] == "pc-a"


def test_every_answer_is_of_that_moment(node: Node, program: Stay) -> None:
    assert program.ask("record read")["answer"]["record"] is None
    node.rpc("record write", epoch=1, holder="pc-a")
    assert program.ask("record read")["answer"]["record"] == {"epoch": 1, "holder": "pc-a"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"verb": "gateway kill"}', "stay answers observe and record read"),
        ('{"verb": "record write", "params": {"epoch": 9, "holder": "pc-b"}}', "stay answers"),
        ('{"verb": "observe", "params": []}', "stay answers"),
        ("[]", "must be one JSON object"),
        ("{", "is not JSON"),
        ("\udcff", "failed"),
    ],
)
def test_what_it_does_not_answer_changes_nothing_and_it_goes_on(
    node: Node, program: Stay, line: str, words: str
) -> None:
    program.process.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    told = program.say(line)
    assert told is not None and told["status"] in (1, 2)
    assert words in json.dumps(told["answer"]) or told["answer"]["error"] == "bad-input"
    assert program.ask("record read")["answer"]["record"] is None


def test_it_ends_when_its_node_json_has_changed(node: Node, program: Stay) -> None:
    assert program.ask("observe")["status"] == 0
    node.file.write_text(node.file.read_text() + "\n")
    assert program.say('{"verb": "observe"}') is None
    assert program.process.wait(5) == 0


def test_it_ends_when_the_program_was_replaced(tmp_path: Path, node: Node) -> None:
    from deployments.build_node import build

    pyz = build(tmp_path / "joe.pyz")
    environment = {**os.environ, "DUALJOE_NODE": str(node.file)}
    process = subprocess.Popen(
        ("/usr/bin/python3", "-IS", str(pyz), "stay"),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write('{"verb": "record read"}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["status"] == 0
    build(pyz)
    output, _ = process.communicate('{"verb": "record read"}\n', timeout=5)
    assert (output, process.returncode) == ("", 0)


def test_it_ends_with_its_input(program: Stay) -> None:
    assert program.process.stdin is not None
    program.process.stdin.close()
    assert program.process.wait(5) == 0
