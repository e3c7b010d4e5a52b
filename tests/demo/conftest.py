"""Real machines, a real Bot API stand-in and the stand-in gateway, all on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.botapi import BotApi
from deployments.demo.ground import make_key, pick_ports
from deployments.demo.machine import Machine
from deployments.demo.sshd import remove_privilege_folder
from deployments.demo.three import ThreeMachines

SECONDS = 20.0  # the deadline of every wait in these tests


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One machine that is off, with a key (tmp_path/key) that opens a shell."""
    ports = pick_ports()
    made = Machine(tmp_path, "pc-a", *ports.pc_a)
    make_key(made.etc / "host_key", "host")
    make_key(tmp_path / "key", "user")
    (made.etc / "authorized_keys").write_text((tmp_path / "key.pub").read_text())
    yield made
    made.power_cut()
    remove_privilege_folder()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotApi]:
    """The Bot API, its log in tmp_path/bot.jsonl."""
    with BotApi(tmp_path / "bot.jsonl") as api:
        yield api


@pytest.fixture
def three(tmp_path: Path, bot: BotApi) -> Iterator[ThreeMachines]:
    """Three machines without guards, switched on; gateways start in 0.2 s, ten notes a second."""
    with ThreeMachines(
        tmp_path / "demo",
        telegram_url=bot.url,
        start_seconds=0.2,
        write_seconds=0.1,
        conflict_pause_seconds=0.3,
        services=(),
    ) as machines:
        machines.power_on_all()
        yield machines


def ssh_argv(key: Path, port: int, *words: str, known_hosts: Path | None = None) -> list[str]:
    """argv of the system's ssh, without the configuration of whoever runs the tests."""
    options = ["BatchMode=yes", "ConnectTimeout=5", "IdentitiesOnly=yes", "IdentityAgent=none"]
    if known_hosts is None:
        options += ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
    else:
        options += ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}"]
    settings = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", "none", "-i", str(key), *settings, "-p", str(port), *words]


def run(argv: list[str], seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal and without input."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
    )
