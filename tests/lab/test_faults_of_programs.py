"""The gateway, the guard or the fuse is killed, hangs, or does not do what it is told."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.lab.commands import Failed
from tests.lab.openclaw import FUSE, PORT, UNIT
from tests.lab.service import Service

BACK_SECONDS = 25.0
FAILOVER_SECONDS = 120.0
KILL_BUDGET_SECONDS = 5.0
TERM_SECONDS = 20.0


def test_the_gateway_is_killed(joe: Service) -> None:
    """It is back in place before anybody thinks of a failover."""
    assert joe.kill_gateway(joe.pc_a, BACK_SECONDS) <= BACK_SECONDS
    assert joe.watchdog.moves == []


def test_the_gateway_crashes_at_each_start(joe: Service) -> None:
    joe.site.fault(joe.pc_a, "crash-at-start")
    os.kill(joe.gateway_pid(joe.pc_a), signal.SIGKILL)
    broken = joe.oracle.now()
    live = joe.wait_until_live(joe.pc_b, FAILOVER_SECONDS) - broken
    joe.say(f"pc-b served {live:.1f} s after the first crash")
    assert joe.epochs()["t440"] == 2


def test_the_gateway_hangs_with_its_port_open(joe: Service) -> None:
    """One restart in place: nothing is lost, and nobody moves."""
    hung = joe.oracle.now()
    os.kill(joe.gateway_pid(joe.pc_a), signal.SIGSTOP)
    joe.oracle.wait_for(seconds=60)
    ended = joe.oracle.now() - hung
    back = joe.wait_until_live(joe.pc_a, 60) - hung
    joe.say(f"the hung gateway was ended after {ended:.1f} s, pc-a served again after {back:.1f} s")
    assert joe.watchdog.moves == []


def test_the_gateway_ignores_a_polite_stop(joe: Service) -> None:
    """It is dead within the kill budget, and only then the other one starts."""
    joe.site.fault(joe.pc_a, "ignore-term")
    ordered = joe.move("pc-b")
    gone = joe.oracle.wait_for(seconds=20) - ordered
    live = joe.wait_until_live(joe.pc_b, 40) - ordered
    joe.say(f"pc-a's gateway was dead after {gone:.1f} s, pc-b served after {live:.1f} s")
    assert gone <= KILL_BUDGET_SECONDS + 3


def test_an_orphan_holds_the_port_of_the_standby(joe: Service) -> None:
    """Whoever listens there counts as a gateway: it is killed, and Joe never stops."""
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {PORT})); input()"
    begun = joe.oracle.now()
    joe.auditor.excuse("pc-b", 10)
    with joe.pc_b.popen(("python3", "-c", listen), stdin=subprocess.PIPE) as orphan:
        joe.oracle.wait_for("pc-a", "pc-b", seconds=5)
        listening = joe.oracle.now()
        orphan.wait(10)
    joe.oracle.wait_for("pc-a", seconds=5)
    joe.excused.append((begun, joe.oracle.now()))
    joe.say(f"the orphan was dead {joe.oracle.now() - listening:.2f} s after it had the port")
    joe.serves_on(joe.pc_a, 3)


def test_the_guard_is_killed(joe: Service) -> None:
    """Its gateway does not outlive it; both are back in place."""
    killed = joe.oracle.now()
    os.kill(joe.guard_pid(joe.pc_a), signal.SIGKILL)
    gone = joe.oracle.wait_for(seconds=TERM_SECONDS) - killed
    back = joe.wait_until_live(joe.pc_a, 40) - killed
    joe.say(
        f"the gateway was dead {gone:.2f} s after its guard; pc-a served again after {back:.1f} s"
    )
    assert joe.watchdog.moves == []


def test_the_guard_hangs(joe: Service) -> None:
    """systemd ends it with its gateway, long before the term does."""
    hung = joe.oracle.now()
    joe.stop_guard(joe.pc_a)
    gone = joe.oracle.wait_for(seconds=TERM_SECONDS) - hung
    back = joe.wait_until_live(joe.pc_a, 40) - hung
    joe.say(
        f"the gateway was dead {gone:.1f} s after the hang; pc-a served again after {back:.1f} s"
    )
    assert joe.watchdog.moves == []


def test_the_fuse_is_killed(joe: Service) -> None:
    """It is back at once, and Joe never stops."""
    os.kill(min(joe.pc_a.procs(FUSE)), signal.SIGKILL)
    joe.pc_a.wait_until(lambda: bool(joe.pc_a.procs(FUSE)), 10, "the fuse is back")
    joe.serves_on(joe.pc_a, 3)


def test_a_gateway_is_started_by_hand_on_the_standby(joe: Service) -> None:
    """systemd's exit code says 0, and nothing runs: the unit asks for a term."""
    joe.pc_b.ask(("systemctl", "--user", "start", UNIT))
    assert joe.pc_b.systemctl("is-active", UNIT) == "inactive"
    joe.serves_on(joe.pc_a, 2)
    assert joe.oracle.stop().of("pc-b") == []


def test_a_second_watchdog_decides_at_the_same_time(joe: Service) -> None:
    """The record that it decided on is another one by then: refused, and nothing changes."""
    decided_on = {"epoch": 1, "holder": "pc-a"}
    joe.move("pc-b")
    try:
        joe.site.joe(joe.t440, "record write", holder="pc-b", expect=decided_on)
    except Failed as refused:
        joe.say(f"the second was refused: {str(refused)[:200]}")
    else:
        raise AssertionError("two moves were made of one decision")
    joe.wait_until_live(joe.pc_b, 30)
    assert set(joe.epochs().values()) == {2}
