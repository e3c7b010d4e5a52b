"""The lab does to its hosts what it says, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from tests.lab import cgroups
from tests.lab.commands import read_line
from tests.lab.hosts import Host
from tests.lab.lab import Lab
from tests.lab.oracle import Oracle
from tests.lab.watcher import UNIT, may_hide_two

SECONDS = 10.0
# Prints what it got within 2 s: bytes, b"" for an end of the connection, or "silence".
LISTENER = """
import socket
server = socket.create_server(("", 7000))
print("listening", flush=True)
connection = server.accept()[0]
print(connection.recv(1), flush=True)
connection.settimeout(2)
try:
    print(connection.recv(1), flush=True)
except TimeoutError:
    print("silence", flush=True)
"""
TALKER = """
import socket, time
connection = socket.create_connection(("pc-b", 7000))
connection.send(b"x")
time.sleep(60)
"""
BANNER = """
import socket, sys
said = "no connection"
try:
    connection = socket.create_connection((sys.argv[1], 22), 1.5)
    said = "no word"
    connection.settimeout(1.5)
    said = connection.recv(4).decode()
except OSError:
    pass
print(said)
"""


def python(text: str, *words: str) -> tuple[str, ...]:
    return ("python3", "-c", text, *words)


def banner(of: Host, seen_from: Host) -> str:
    """What an ssh client on `seen_from` gets: "SSH-", "no word" or "no connection"."""
    return seen_from.run(python(BANNER, of.name)).strip()


def wait_for_banner(of: Host, seen_from: Host) -> None:
    """Until ssh works again: the kernel may still be waiting for the host's hardware address."""
    wait_until(lambda: banner(of, seen_from) == "SSH-", SECONDS, f"{of.name} answers")


def sleep_as_gateway(host: Host) -> None:
    host.run(("systemd-run", "--user", "--quiet", f"--unit={UNIT}", "sleep", "600"))


def test_three_hosts_with_a_systemd_each_and_clocks_of_their_own(lab: Lab) -> None:
    for host in lab.hosts.values():
        host.run(("systemctl", "is-system-running", "--wait"), user="root")
        assert host.systemctl("is-system-running") == "running"
        uptime = float(host.run(("cat", "/proc/uptime")).split()[0])
        assert uptime < 120, "a boot begins at 0"
    boots = {host.run(("cat", "/proc/sys/kernel/random/boot_id")) for host in lab.hosts.values()}
    assert len(boots) == 3
    assert all(banner(of, lab.hosts["t440"]) == "SSH-" for of in lab.hosts.values())


def test_a_power_cut_is_silence_for_the_others_and_keeps_the_disk(lab: Lab) -> None:
    a, b = lab.hosts["pc-a"], lab.hosts["pc-b"]
    a.run(("sh", "-c", "echo kept >~/file; echo lost >$XDG_RUNTIME_DIR/file"))
    boot = a.run(("cat", "/proc/sys/kernel/random/boot_id"))
    with b.popen(python(LISTENER)) as listener:
        assert read_line(listener.stdout) == "listening"
        with a.popen(python(TALKER)) as talker:
            assert read_line(listener.stdout) == "b'x'"
            begun = time.monotonic()
            a.power_cut()
            took = time.monotonic() - begun
            assert read_line(listener.stdout) == "silence"
            assert talker.wait(SECONDS) != 0
    assert banner(a, lab.hosts["t440"]) == "no connection"
    again = a.start()
    assert a.run(("cat", "/proc/sys/kernel/random/boot_id")) != boot
    assert a.run(("sh", "-c", "cat ~/file; ls $XDG_RUNTIME_DIR/file || true")) == "kept\n"
    wait_for_banner(a, lab.hosts["t440"])
    print(f"a power cut took {took:.2f} s, power on to a login {again:.2f} s")


def test_a_frozen_host_takes_connections_and_says_nothing(lab: Lab) -> None:
    a, t440 = lab.hosts["pc-a"], lab.hosts["t440"]
    a.freeze()
    assert banner(a, t440) == "no word"
    a.thaw()
    assert banner(a, t440) == "SSH-"
    a.freeze()
    a.power_cut()  # a frozen host can lose its power, too
    assert not a.is_on


def test_a_cut_is_between_two_hosts_and_no_others(lab: Lab) -> None:
    a, b, t440 = lab.hosts["pc-a"], lab.hosts["pc-b"], lab.hosts["t440"]
    a.cut("t440")
    assert banner(a, t440) == banner(t440, a) == "no connection"
    assert banner(a, b) == banner(t440, b) == "SSH-"
    a.heal()
    assert banner(a, t440) == "SSH-"
    t440.cut("pc-a", one_way=True)
    assert banner(a, t440) == banner(t440, a) == "no connection"  # TCP needs both ways
    arrived = "import socket; s = socket.socket(type=2); s.bind(('', 7001)); s.settimeout(2)\n"
    sending = "import socket; socket.socket(type=2).sendto(b'x', ('{}', 7001))"
    for source, target, wanted in ((t440, a, "lost"), (a, t440, "b'x'")):
        receive = f"{arrived}print('ready', flush=True)\ntry: print(s.recv(1))\n"
        with target.popen(python(receive + "except TimeoutError: print('lost')")) as receiver:
            assert read_line(receiver.stdout) == "ready"
            source.run(python(sending.format(target.name)))
            assert read_line(receiver.stdout) == wanted
    t440.heal("pc-a")
    a.unplug()
    assert banner(a, b) == "no connection"
    a.plug()
    wait_for_banner(a, b)


def test_a_full_disk_takes_no_byte_and_no_file(lab: Lab) -> None:
    a = lab.hosts["pc-a"]
    a.fill_disk()
    full = a.ask(("sh", "-c", "echo x >~/more"))
    assert "No space left on device" in full.stderr
    a.free_disk()
    a.run(("sh", "-c", "echo x >~/more"))


def watch(lab: Lab) -> Oracle:
    return Oracle({name: lab.hosts[name].group for name in ("pc-a", "pc-b")})


def test_the_oracle_sees_two_gateways_and_when_each_served(lab: Lab) -> None:
    """A planned split: pc-a alone, both, pc-b alone."""
    a, b = lab.hosts["pc-a"], lab.hosts["pc-b"]
    with watch(lab) as oracle:
        sleep_as_gateway(a)
        oracle.wait_for("pc-a", seconds=SECONDS)
        a.cut("pc-b", "t440", "box")  # neither a cut nor a freeze hides it
        a.freeze()
        sleep_as_gateway(b)
        oracle.wait_for("pc-a", "pc-b", seconds=SECONDS)
        a.power_cut()
        oracle.wait_for("pc-b", seconds=SECONDS)
    seen = oracle.stop()
    print(seen)
    assert seen.both
    (a_from, a_to), (b_from, b_to) = *seen.of("pc-a"), *seen.of("pc-b")
    assert a_from < b_from <= seen.both[0] <= seen.both[-1] <= a_to < b_to


@pytest.mark.parametrize(
    ("gap", "before", "after", "hidden"),
    [
        pytest.param(0.02, ["pc-a"], ["pc-b"], False, id="a sample in time proves a change"),
        pytest.param(0.08, ["pc-a"], ["pc-b"], True, id="a late one does not"),
        pytest.param(0.08, [], ["pc-a", "pc-b"], True, id="nor how long two ran already"),
        pytest.param(0.08, ["pc-a"], ["pc-a"], False, id="the same one before and after it"),
        pytest.param(0.08, ["pc-a"], [], False, id="one that ended, and no other"),
        pytest.param(0.60, ["pc-a"], ["pc-a"], True, id="a gap as long as a gateway's life"),
    ],
)
def test_a_late_sample_proves_nothing_where_two_may_have_run(
    gap: float, before: list[str], after: list[str], hidden: bool
) -> None:
    assert may_hide_two(gap, before, after) is hidden


def test_the_oracle_finds_nothing_in_a_planned_change(lab: Lab) -> None:
    a, b = lab.hosts["pc-a"], lab.hosts["pc-b"]
    with watch(lab) as oracle:
        sleep_as_gateway(a)
        oracle.wait_for("pc-a", seconds=SECONDS)
        a.systemctl("stop", UNIT)
        oracle.wait_for(seconds=SECONDS)
        sleep_as_gateway(b)
        oracle.wait_for("pc-b", seconds=SECONDS)
    seen = oracle.stop()
    print(seen)
    assert [name for name, _, _ in seen.serving] == ["pc-a", "pc-b"]
    assert not seen.both


def traces(owner: int) -> list[str]:
    """What is left of a lab, anywhere on the box."""
    left = [folder.name for folder in cgroups.UNIFIED.glob(f"{cgroups.PREFIX}{owner}-*")]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    left += [line for line in mounts if "/.lab/mount" in line]
    left += [file.name for file in Path("/run/systemd/nspawn").glob("*/pc-*")]
    names = [file.name for file in Path("/sys/class/net").iterdir()]
    return left + [name for name in names if name.startswith(("vb-", "djbr"))]


def test_a_lab_that_is_closed_leaves_nothing(ground: None) -> None:
    with Lab() as lab:
        lab.start_all()
        lab.hosts["pc-b"].freeze()
        begun = time.monotonic()
    assert traces(lab.pid) == []
    print(f"taking it down took {time.monotonic() - begun:.2f} s")


def test_a_lab_whose_test_is_killed_leaves_nothing(ground: None) -> None:
    script = (
        "from tests.lab.lab import Lab\nlab = Lab()\nlab.start_all()\n"
        "lab.hosts['pc-b'].freeze()\nprint(lab.pid, flush=True)\ninput()\n"
    )
    owner = subprocess.Popen(
        (sys.executable, "-c", script),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with owner:
        pid = int(read_line(owner.stdout))
        group = cgroups.Group(pid, "pc-b")
        assert group.pids()
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not group.pids(), SECONDS, "no process is left")
    wait_until(lambda: not Path("/proc", str(pid)).exists(), SECONDS, "the holder is gone")
    cgroups.sweep()  # as the next lab does: empty groups are all that the kernel leaves
    assert traces(pid) == []
