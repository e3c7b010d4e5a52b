"""T440's key on a node opens the rpc verbs and the gateway's own port, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from deployments.demo.processes import process_table, wait_until
from tests.demo.conftest import run, ssh_argv
from tests.site_machines import Ground, ground


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground(guards=False) as made:
        made.call("pc-a", "record write", epoch=1, holder="pc-a")
        yield made


def door(place: Ground, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    """argv of ssh with T440's control key to pc-a."""
    three = place.three
    key, known_hosts = three.key("t440"), three.known_hosts("t440")
    argv = ssh_argv(key, three.nodes["pc-a"].ssh_port, known_hosts=known_hosts)
    return [*argv, *options, "127.0.0.1", *words]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The error in the door's JSON answer."""
    answer = json.loads(done.stdout)
    return str(answer["error"])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("bash", "-i"), id="a shell"),
        pytest.param((), id="a login"),
        pytest.param(("cat", "/etc/passwd"), id="a command"),
        pytest.param(("observe;", "touch", "/tmp/owned"), id="a command behind a verb"),  # noqa: S108
        pytest.param(("observe $(id)",), id="a substitution"),
        pytest.param(("rsync", "--server", "--sender", "-a", ".", "/etc"), id="rsync"),
        pytest.param(("scp", "-f", "/etc/passwd"), id="scp"),
        pytest.param(("'unbalanced",), id="a crafted command line"),
    ],
)
def test_the_door_answers_json_and_exit_2_to_what_is_no_verb(
    place: Ground, words: tuple[str, ...]
) -> None:
    done = run(door(place, *words))
    assert (done.returncode, refusal(done)) == (2, "bad-input")


def test_sftp_gets_nothing(place: Ground) -> None:
    sftp = shutil.which("sftp")
    assert sftp
    argv = door(place)
    options = [*argv[1:-1]]
    options[options.index("-p")] = "-P"
    done = run([sftp, *options, "127.0.0.1"])
    assert done.returncode != 0
    assert "Connected" not in done.stdout


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-R", "0:127.0.0.1:9"), id="a listener on the node"),
        pytest.param(("-R", "1:127.0.0.1:9"), id="the one listener that permitlisten names"),
    ],
)
def test_no_remote_forwarding(place: Ground, options: tuple[str, ...]) -> None:
    strict = ("-o", "ExitOnForwardFailure=yes", *options)
    done = run(door(place, "observe", options=strict))
    assert done.returncode == 255
    assert "forwarding" in done.stderr


def test_another_port_of_the_node_is_refused(place: Ground) -> None:
    other = place.three.nodes["pc-b"].ssh_port
    done = run(door(place, options=("-W", f"127.0.0.1:{other}")))
    assert done.returncode == 255
    assert "administratively prohibited" in done.stderr


def test_no_agent_and_no_terminal(place: Ground) -> None:
    done = run(door(place, "observe", options=("-tt", "-A")))
    assert "PTY allocation request failed" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{", "not JSON", id="torn JSON"),
        pytest.param("[1]", "one JSON object", id="not an object"),
        pytest.param("[" * 100_000, "not JSON", id="deep JSON"),
        pytest.param('{"a": "' + "x" * (1 << 20) + '"}', "more than", id="more than 1 MiB"),
    ],
)
def test_malformed_or_oversized_input_is_refused(place: Ground, text: str, said: str) -> None:
    argv = door(place, "record", "write")
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert said in json.loads(done.stdout)["message"]
    assert place.call("pc-a", "record read")["record"] == {"epoch": 1, "holder": "pc-a"}


def test_a_key_of_another_purpose_does_not_open_rpc(place: Ground) -> None:
    """A node's pull key on the other node gets exports only."""
    three = place.three
    argv = ssh_argv(
        three.key("pc-b"), three.nodes["pc-a"].ssh_port, known_hosts=three.known_hosts("pc-b")
    )
    done = run([*argv, "127.0.0.1", "observe"])
    assert done.returncode != 0
    assert '"gateway"' not in done.stdout


def test_nothing_of_these_tries_is_left_running(place: Ground) -> None:
    machine = place.three.nodes["pc-a"]
    sshd = int((machine.etc / "sshd.pid").read_text())

    def sessions() -> list[int]:
        return [one.pid for one in process_table().values() if one.parent == sshd]

    wait_until(lambda: len(sessions()) <= 2, 10, "only T440's own session, and pc-b's asks")
