"""t440, pc-a and pc-b: each key opens its one door and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deployments.demo.ground import pick_ports
from deployments.demo.processes import wait_until
from deployments.demo.sshd import port_is_open
from deployments.demo.three import NODES, T440, ThreeMachines
from deployments.node.config import load_config
from tasks.core.site import Site

from .conftest import SECONDS, run, ssh_argv


def ssh(three: ThreeMachines, key_of: str, to: str, *words: str) -> list[str]:
    port, known_hosts = three.machines[to].ssh_port, three.known_hosts(key_of)
    return ssh_argv(three.key(key_of), port, *words, known_hosts=known_hosts)


@pytest.mark.parametrize("node", NODES)
def test_the_control_key_reaches_the_node_program(three: ThreeMachines, node: str) -> None:
    answered = run(ssh(three, T440, node, "127.0.0.1", "record read"))
    assert isinstance(json.loads(answered.stdout), dict), answered


@pytest.mark.parametrize("words", [(), ("sh",), ("-t", "sh")], ids=["none", "sh", "a terminal"])
def test_the_control_key_opens_no_shell(three: ThreeMachines, words: tuple[str, ...]) -> None:
    options, command = words[:-1], words[-1:]
    answered = run(ssh(three, T440, "pc-a", *options, "127.0.0.1", *command))
    assert answered.returncode == 2
    assert json.loads(answered.stdout)["error"] == "bad-input"


def test_the_control_key_opens_no_sftp(three: ThreeMachines) -> None:
    answered = run(ssh(three, T440, "pc-a", "-s", "127.0.0.1", "sftp"))
    assert answered.returncode == 2


def test_the_control_key_opens_no_listener_on_the_node(three: ThreeMachines) -> None:
    spare = three.ports.t440[1]
    listen = ("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{spare}:127.0.0.1:1")
    answered = run(ssh(three, T440, "pc-a", *listen, "127.0.0.1"))
    assert answered.returncode == 255 and "remote port forwarding failed" in answered.stderr
    assert not port_is_open(spare)


def test_the_control_key_forwards_to_the_gateway_and_to_no_other_port(
    three: ThreeMachines,
) -> None:
    node = three.nodes["pc-a"]
    log = node.log / "listener.log"
    listener = ("/usr/bin/python3", "-m", "http.server", "-b", "127.0.0.1", str(node.gateway_port))
    node.spawn(listener, {"PYTHONUNBUFFERED": "1"}, log)
    wait_until(lambda: port_is_open(node.gateway_port), SECONDS, "something at the port")
    asked = b"HEAD / HTTP/1.0\r\n\r\n"

    def forward(port: int) -> subprocess.CompletedProcess[bytes]:
        argv = ssh(three, T440, "pc-a", "-W", f"127.0.0.1:{port}", "127.0.0.1")
        return subprocess.run(argv, input=asked, capture_output=True, timeout=SECONDS)

    assert b"200 OK" in forward(node.gateway_port).stdout
    refused = forward(three.nodes["pc-b"].ssh_port)
    assert refused.stdout == b"" and b"administratively prohibited" in refused.stderr


@pytest.mark.parametrize(
    ("key_of", "to", "opens"),
    [
        pytest.param("pc-a", "pc-b", True, id="pc-a pulls from pc-b"),
        pytest.param("pc-b", "pc-a", True, id="pc-b pulls from pc-a"),
        pytest.param("pc-a", T440, True, id="pc-a pulls from t440"),
        pytest.param("pc-b", T440, True, id="pc-b pulls from t440"),
        pytest.param("pc-a", "pc-a", False, id="no node pulls from itself"),
        pytest.param(T440, T440, False, id="t440 opens no door to its own key"),
    ],
)
def test_who_may_knock(three: ThreeMachines, key_of: str, to: str, opens: bool) -> None:
    answered = run(ssh(three, key_of, to, "127.0.0.1", "true"))
    assert ("Permission denied" not in answered.stderr) is opens, answered


def test_a_pull_key_forwards_nothing(three: ThreeMachines) -> None:
    target = f"127.0.0.1:{three.nodes['pc-a'].ssh_port}"
    answered = run(ssh(three, "pc-b", "pc-a", "-W", target, "127.0.0.1"))
    assert answered.returncode != 0 and "SSH-2.0" not in answered.stdout


def test_host_keys_are_pinned(three: ThreeMachines) -> None:
    known = three.known_hosts(T440)
    lines = known.read_text().splitlines()
    port = three.nodes["pc-a"].ssh_port
    other = next(line.split(" ", 1)[1] for line in lines if f":{port} " not in line)
    known.write_text(f"[127.0.0.1]:{port} {other}\n")
    answered = run(ssh(three, T440, "pc-a", "127.0.0.1", "record read"))
    assert answered.returncode == 255 and "Host key verification failed" in answered.stderr


def test_the_documents_are_ones_that_the_two_sides_accept(three: ThreeMachines) -> None:
    site = Site.model_validate(three.site_document())
    assert set(site.nodes) == set(NODES)
    for name, machine in three.machines.items():
        config = load_config(machine.node_file)
        assert config.name == name and config.boot_id() == machine.boot_id
    assert set(load_config(three.t440.node_file).sources) == set(site.containers)


def test_only_one_demo_runs_in_a_folder(three: ThreeMachines) -> None:
    with pytest.raises(RuntimeError, match="another demo"):
        ThreeMachines(three.root)


def test_a_second_demo_starts_from_nothing(tmp_path: Path) -> None:
    with ThreeMachines(tmp_path) as first:
        (first.nodes["pc-a"].state / "record").write_text("old")
    with ThreeMachines(tmp_path) as second:
        assert not (second.nodes["pc-a"].state / "record").exists()


def test_what_no_demo_made_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "pc-a").mkdir()
    with pytest.raises(RuntimeError, match="no demo made"):
        ThreeMachines(tmp_path)
    assert (tmp_path / "pc-a").exists()


def test_ports_are_not_ones_that_outgoing_connections_take() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [port for machine in pick_ports() for port in machine]
    assert len(set(ports)) == 6 and max(ports) < max(lowest, 11000)
