"""Three loopback machines that were provisioned: each key opens its one door, and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.node.config import load_config
from deployments.node.messages import Ask, Record
from deployments.node.wire import ask_line, parse_answer
from tests.demo.conftest import ssh_argv
from tests.provision.ground import NODES, SECONDS, T440, Ground, ground


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """All in place. What is tested with it changes nothing."""
    with ground(tmp_path_factory.mktemp("site")) as made:
        done = made.provision("--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made


def key(place: Ground, owner: str, purpose: str) -> Path:
    return place.own(owner, f"keys/{purpose}")


def test_a_second_run_has_nothing_to_do(place: Ground) -> None:
    before = place.files()
    done = place.provision()
    assert (done.returncode, done.stdout) == (0, "nothing to do\n"), done.stderr
    assert place.files() == before


@pytest.mark.parametrize("node", NODES)
def test_t440s_control_key_opens_rpc(place: Ground, node: str) -> None:
    answered = place.knock(key(place, T440, "control"), node, "observe")
    assert answered.returncode == 0, answered
    assert json.loads(answered.stdout)["guard"] is None
    refused = place.knock(key(place, T440, "control"), node, "sh")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (2, "bad-input")


@pytest.mark.parametrize(
    ("node", "to"), [("pc-a", T440), ("pc-b", T440), ("pc-a", "pc-b"), ("pc-b", "pc-a")]
)
def test_a_nodes_ask_key_opens_the_others_voters(place: Ground, node: str, to: str) -> None:
    """A real ask, with the ssh options and the node.json of the node itself."""
    peer = load_config(place.machines[node].node_file).peers[to]
    assert peer.answer_key is not None
    argv = ssh_argv(peer.answer_key, peer.port, peer.address, known_hosts=peer.known_hosts)
    ask = Ask(node, "boot", 1.0, Record(1, "pc-a"), False, False, None, False, False)
    done = subprocess.run(
        argv, input=ask_line(ask) + "\n", capture_output=True, text=True, timeout=SECONDS
    )
    told = parse_answer(done.stdout.strip())
    assert (told.sender, told.record) == (to, Record(1, "pc-a"))


@pytest.mark.parametrize(
    ("node", "to"), [("pc-a", T440), ("pc-b", T440), ("pc-a", "pc-b"), ("pc-b", "pc-a")]
)
def test_a_nodes_pull_key_opens_the_others_exports(place: Ground, node: str, to: str) -> None:
    done = place.knock(key(place, node, "pull"), to, "cat /etc/passwd")
    assert (done.returncode, done.stderr) == (
        2,
        "export: only rsync may read here, and only an export\n",
    )


def test_a_pull_key_brings_a_memory(place: Ground, tmp_path: Path) -> None:
    """By the other node's own path: rsync through the door, from a workspace."""
    peer = load_config(place.machines["pc-b"].node_file).peers["pc-a"]
    shell = " ".join(ssh_argv(peer.key, peer.port, known_hosts=peer.known_hosts))
    source = f"{peer.user}@{peer.address}:memory/main/"
    argv = ("rsync", "-a", "-e", shell, source, str(tmp_path))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "IDENTITY.md").read_text().startswith("# IDENTITY")


@pytest.mark.parametrize(
    ("owner", "purpose", "to"),
    [
        pytest.param("pc-a", "pull", "pc-a", id="no node pulls from itself"),
        pytest.param("pc-a", "ask", "pc-a", id="no node asks itself"),
        pytest.param(T440, "control", T440, id="T440 opens no door to its own key"),
    ],
)
def test_a_key_opens_no_other_machine(place: Ground, owner: str, purpose: str, to: str) -> None:
    assert "Permission denied" in place.knock(key(place, owner, purpose), to, "true").stderr


@pytest.mark.parametrize("purpose", ["pull", "ask"])
def test_a_nodes_key_opens_no_port(place: Ground, purpose: str) -> None:
    target = f"127.0.0.1:{place.machines['pc-b'].ssh_port}"
    done = place.knock(key(place, "pc-a", purpose), "pc-b", "", "-W", target)
    assert done.returncode == 255 and "SSH-2.0" not in done.stdout
    assert "administratively prohibited" in done.stderr


@pytest.mark.parametrize("purpose", ["pull", "ask"])
def test_a_nodes_key_opens_no_terminal(place: Ground, purpose: str) -> None:
    done = place.knock(key(place, "pc-a", purpose), "pc-b", "true", "-tt")
    assert "PTY allocation request failed" in done.stderr


@pytest.mark.parametrize("purpose", ["pull", "ask"])
@pytest.mark.parametrize(
    ("command", "options"),
    [
        pytest.param("sh -c 'cat /etc/passwd'", (), id="a shell"),
        pytest.param("sftp", ("-s",), id="sftp"),
        pytest.param("scp -f /etc/passwd", (), id="scp from there"),
        pytest.param("scp -t /tmp/", (), id="scp to there"),
        pytest.param("rsync --server --sender -a . /etc/passwd", (), id="rsync from there"),
        pytest.param("rsync --server -a . /tmp/", (), id="rsync to there"),
        pytest.param("memory/main/; id", (), id="a command behind an export"),
    ],
)
def test_a_nodes_stolen_key_reads_and_writes_no_other_file(
    place: Ground, purpose: str, command: str, options: tuple[str, ...]
) -> None:
    before = place.files()
    done = place.knock(key(place, "pc-a", purpose), "pc-b", command, *options)
    assert done.stdout == "" and "root:" not in done.stderr
    assert place.files() == before


@pytest.mark.parametrize("purpose", ["pull", "ask", "control"])
def test_no_key_opens_a_listener(place: Ground, purpose: str) -> None:
    owner = T440 if purpose == "control" else "pc-a"
    listen = ("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9")
    done = place.knock(key(place, owner, purpose), "pc-b", "true", *listen)
    assert done.returncode == 255 and "remote port forwarding failed" in done.stderr


def test_the_asker_of_a_door_is_the_one_that_it_was_made_for(place: Ground) -> None:
    argv = ssh_argv(
        key(place, "pc-a", "ask"),
        place.t440.ssh_port,
        "127.0.0.1",
        known_hosts=place.own("pc-a", "known_hosts"),
    )
    line = ask_line(Ask("pc-b", "boot", 1.0, None, False, False, None, False, False))
    done = subprocess.run(argv, input=f"{line}\n", capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2 and "through the door of pc-a" in done.stderr


def test_what_was_in_authorized_keys_is_there_byte_for_byte(place: Ground) -> None:
    for name in place.machines:
        file = place.authorized_keys(name)
        mine = f"# mine\n\n{place.user_key.with_suffix('.pub').read_text().strip()}"
        assert file.read_text().endswith(f"\n{mine}")
        assert file.stat().st_mode & 0o777 == 0o600
        ours = file.read_text().removesuffix(mine).splitlines()
        assert all(line.startswith("restrict,") for line in ours)
        assert len(ours) == (4 if name == T440 else 3)


def test_private_keys_are_each_machines_own_and_nobody_elses_to_read(place: Ground) -> None:
    private = {}
    for name in place.machines:
        for file in place.own(name, "keys").iterdir():
            if file.suffix != ".pub":
                assert file.stat().st_mode & 0o777 == 0o600
                private[file.read_bytes()] = file
    assert len(private) == 5, "one key per purpose, none twice"


def test_t440_has_the_first_record(place: Ground) -> None:
    record = json.loads((place.own(T440, "state") / "record.json").read_text())
    assert record == {"epoch": 1, "holder": "pc-a"}


def test_joe_pyz_runs_on_each_machine(place: Ground) -> None:
    for name, machine in place.machines.items():
        argv = (str(place.own(name, "joe.pyz")), "observe")
        done = subprocess.run(
            argv, env=machine.environment, input="", capture_output=True, text=True, timeout=SECONDS
        )
        assert json.loads(done.stdout)["name"] == name, done
