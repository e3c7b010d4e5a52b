"""A machine on loopback: what survives a power cut, what does not, and what is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployments.demo.machine import Machine, sweep
from deployments.demo.processes import read_command, read_process, send, wait_until
from deployments.demo.sshd import port_is_open, read_banner

from .conftest import SECONDS, run, ssh_argv

HELD_LONG_ENOUGH = "600"


def ssh(machine: Machine, *words: str) -> list[str]:
    return ssh_argv(machine.root / "key", machine.ssh_port, "127.0.0.1", *words)


@contextmanager
def open_session(machine: Machine) -> Iterator[None]:
    """A login that stays, as T440 keeps one."""
    argv = ssh(machine, "exec", "sleep", HELD_LONG_ENOUGH)
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=nowhere, stdout=nowhere, stderr=nowhere) as login:
        try:
            wait_until(lambda: runs(machine, "sleep"), SECONDS, "the login runs its command")
            yield
        finally:
            login.kill()


def runs(machine: Machine, program: str) -> bool:
    return any(read_command(pid).startswith(program + " ") for pid in machine.pids())


def test_a_machine_that_is_switched_on_answers_as_sshd_and_a_login_finds_its_own_home(
    machine: Machine,
) -> None:
    machine.power_on()
    assert read_banner(machine.ssh_port).startswith("SSH-2.0")
    shown = run(ssh(machine, "echo $HOME $DUALJOE_NODE; command -v openclaw; echo ~")).stdout
    home, node = str(machine.home), str(machine.node_file)
    assert shown.split() == [home, node, home]


def test_each_boot_has_another_id_and_an_empty_run_folder_and_keeps_the_state(
    machine: Machine,
) -> None:
    machine.power_on()
    first = machine.boot_id
    (machine.run / "vote").write_text("lent")
    (machine.state / "record").write_text("kept")
    machine.power_cut()
    assert not machine.run.exists()
    machine.power_on()
    assert machine.boot_id != first
    assert list(machine.run.iterdir()) == []
    assert (machine.state / "record").read_text() == "kept"


def test_a_power_cut_takes_logins_orphans_and_spawned_commands_along(machine: Machine) -> None:
    machine.power_on()
    spawned = machine.spawn(("sleep", HELD_LONG_ENOUGH), {}, machine.log / "spawned.log")
    orphan = "setsid -f sh -c 'trap \"\" TERM HUP; sleep 600; sleep 600' >/dev/null 2>&1 </dev/null"
    assert run(ssh(machine, orphan)).returncode == 0
    with open_session(machine):
        # init, sshd, login, its command, the spawned one, sh, its sleep
        wait_until(lambda: len(machine.pids()) >= 7, SECONDS, "all of them run")
        pids = machine.pids()
        assert spawned in pids
        machine.power_cut()
    assert not machine.is_on
    assert [pid for pid in pids if read_process(pid)] == []
    assert not port_is_open(machine.ssh_port)


def test_what_drops_its_environment_and_its_parent_is_found_by_its_ancestry(
    machine: Machine,
) -> None:
    machine.power_on()
    hidden = "setsid -f env -i sleep 600 >/dev/null 2>&1 </dev/null"
    assert run(ssh(machine, hidden)).returncode == 0
    wait_until(lambda: runs(machine, "sleep"), SECONDS, "the orphan belongs to the machine")
    machine.power_cut()
    assert machine.pids() == []


def test_a_machine_whose_init_was_killed_is_still_taken_down_by_the_next_cut(
    machine: Machine,
) -> None:
    machine.power_on()
    spawned = machine.spawn(("sleep", HELD_LONG_ENOUGH), {}, machine.log / "spawned.log")
    init = machine.pids()[0]
    send([init], signal.SIGKILL)
    wait_until(lambda: not machine.is_on, SECONDS, "init is gone")
    assert read_process(spawned)
    machine.power_cut()
    assert read_process(spawned) is None


def test_a_spawned_command_gets_the_environment_of_the_machine_and_its_own(
    machine: Machine,
) -> None:
    machine.power_on()
    log = machine.log / "spawned.log"
    machine.spawn(("sh", "-c", "pwd; echo $HOME $EXTRA"), {"EXTRA": "more"}, log)
    expected = f"{machine.home}\n{machine.home} more\n"
    wait_until(lambda: log.exists() and log.read_text() == expected, SECONDS, "its output")


def test_a_command_that_cannot_start_and_a_machine_that_is_off_say_so(machine: Machine) -> None:
    machine.power_on()
    with pytest.raises(RuntimeError, match="no-such-program"):
        machine.spawn(("no-such-program",), {}, machine.log / "spawned.log")
    machine.power_cut()
    with pytest.raises(RuntimeError, match="is off"):
        machine.spawn(("true",), {}, machine.log / "spawned.log")


def test_a_port_that_is_taken_is_no_boot(machine: Machine, tmp_path: Path) -> None:
    machine.power_on()
    again = Machine(tmp_path, "pc-b", machine.ssh_port, machine.gateway_port)
    for name in ("host_key", "host_key.pub", "authorized_keys"):
        (again.etc / name).write_bytes((machine.etc / name).read_bytes())
    (again.etc / "host_key").chmod(0o600)
    with pytest.raises(RuntimeError, match="Address already in use"):
        again.power_on()
    assert machine.is_on and not again.is_on


STARTER = """
import sys
from pathlib import Path
from deployments.demo.machine import Machine
machine = Machine(Path(sys.argv[1]), "pc-a", int(sys.argv[2]), int(sys.argv[3]))
machine.power_on()
machine.spawn(("sleep", "600"), {}, machine.log / "spawned.log")
print("on", *machine.pids(), flush=True)
sys.stdin.read()
"""


@contextmanager
def started_elsewhere(machine: Machine) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """The machine, switched on by another process that can be killed; yields it and the pids."""
    argv = [sys.executable, "-c", STARTER, str(machine.root)]
    argv += [str(machine.ssh_port), str(machine.gateway_port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as starter:
        try:
            assert starter.stdout
            yield starter, [int(word) for word in starter.stdout.readline().split()[1:]]
        finally:
            starter.kill()


def gone(pids: list[int]) -> bool:
    return not any(read_process(pid) for pid in pids)


def test_a_killed_demo_takes_its_machines_down(machine: Machine) -> None:
    with started_elsewhere(machine) as (starter, pids):
        assert len(pids) >= 3 and not gone(pids)
        starter.kill()
        wait_until(lambda: gone(pids), SECONDS, "the whole tree is gone")


def test_a_sweep_ends_what_a_crashed_demo_and_its_init_left_and_names_it(
    machine: Machine,
) -> None:
    with started_elsewhere(machine) as (starter, pids), open_session(machine):
        left = machine.pids()
        os.kill(pids[0], signal.SIGSTOP)  # an init that cannot clean up any more
        starter.kill()
        os.kill(pids[0], signal.SIGKILL)
        said = sweep(machine.root)
        assert gone(left)
    text = "\n".join(said)
    assert "(sshd)" in text and "(sleep)" in text and "earlier demo" in text
    assert not port_is_open(machine.ssh_port)
    assert [line for line in sweep(machine.root) if "process" in line] == []


def test_a_sweep_leaves_the_machines_of_other_folders_alone(
    machine: Machine, tmp_path: Path
) -> None:
    machine.power_on()
    other = tmp_path / "other"
    other.mkdir()
    assert [line for line in sweep(other) if "process" in line] == []
    assert machine.is_on
