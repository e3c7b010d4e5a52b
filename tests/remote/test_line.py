"""Cheap questions go over a kept program; whatever happens to it, the answer comes all the same."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployments.build_node import build
from deployments.demo.processes import process_table, read_command, wait_until
from tasks.core.errors import Unreachable
from tasks.remote import ssh
from tasks.remote.local import call_local
from tasks.remote.local_line import close_line
from tasks.remote.nodes import address_of
from tests.site_machines import Ground, ground


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground(guards=False) as made:
        made.write_record(1, "pc-a")
        yield made


@pytest.fixture
def pc_a(place: Ground) -> Iterator[ssh.Connection]:
    connection = ssh.Connection(address_of(place.site, "pc-a"))
    yield connection
    connection.close()


def programs(joe: Path) -> list[int]:
    """The processes that stay, of this joe.pyz; a node's forced command is `rpc`."""
    lines = {pid: read_command(pid) for pid in process_table()}
    return [pid for pid, line in lines.items() if str(joe) in line and "sshd" not in line]


def test_many_questions_are_answered_by_one_program(place: Ground, pc_a: ssh.Connection) -> None:
    joe = place.three.joe("pc-a")
    for _ in range(5):
        assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
        (pid,) = programs(joe)
    assert programs(joe) == [pid]
    pc_a.close()
    wait_until(lambda: not programs(joe), 5, "it ends with the connection")


def test_a_program_that_was_killed_is_no_loss(place: Ground, pc_a: ssh.Connection) -> None:
    pc_a.ask("observe", seconds=5)
    (pid,) = programs(place.three.joe("pc-a"))
    os.kill(pid, signal.SIGKILL)
    assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
    assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
    assert programs(place.three.joe("pc-a")) != [pid]


def test_a_program_that_hangs_costs_the_deadline_once(place: Ground, pc_a: ssh.Connection) -> None:
    pc_a.ask("observe", seconds=5)
    (pid,) = programs(place.three.joe("pc-a"))
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        with pytest.raises(Unreachable, match="no answer within the deadline"):
            pc_a.ask("observe", seconds=1)
        assert 0.9 < time.monotonic() - begun < 2
        assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_after_an_update_the_new_program_answers(place: Ground, pc_a: ssh.Connection) -> None:
    joe = place.three.joe("pc-a")
    pc_a.ask("observe", seconds=5)
    (before,) = programs(joe)
    shutil.copy2(build(joe.with_name("new.pyz")), joe)
    assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
    pc_a.ask("observe", seconds=5)
    assert before not in programs(joe)


def test_a_joe_that_cannot_stay_is_asked_by_a_process_each(
    place: Ground, pc_a: ssh.Connection
) -> None:
    joe = place.three.joe("pc-a")
    kept = joe.with_suffix(".kept")
    joe.rename(kept)
    joe.write_text(
        "import os, sys\n"
        "if os.environ.get('SSH_ORIGINAL_COMMAND') == 'stay':\n"
        '    print(\'{"error": "bad-input", "message": "unknown verb"}\')\n'
        "    sys.exit(2)\n"
        f"os.execv(sys.executable, [sys.executable, '-IS', {str(kept)!r}, *sys.argv[1:]])\n"
    )
    try:
        for _ in range(3):
            assert pc_a.ask("observe", seconds=5)["name"] == "pc-a"
    finally:
        kept.replace(joe)


def test_questions_at_once_are_all_answered(pc_a: ssh.Connection) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: pc_a.ask("observe", seconds=10)["name"], range(12)))
    assert answers == ["pc-a"] * 12


def test_t440_keeps_one_of_its_own(place: Ground) -> None:
    joe, watchdog = place.three.joe("t440"), place.site.watchdog
    close_line(watchdog)
    for _ in range(3):
        record = call_local(watchdog, "record read", seconds=5)["record"]
        assert record == {"epoch": 1, "holder": "pc-a"}
    (pid,) = programs(joe)
    os.kill(pid, signal.SIGKILL)
    assert call_local(watchdog, "observe", seconds=5)["name"] == "t440"
    close_line(watchdog)
    wait_until(lambda: not programs(joe), 5, "it ends with its asker")
