"""The real OpenClaw, with the unit of its own `gateway install`: what a person or a boot starts."""

from __future__ import annotations

import signal

import pytest

from tests.lab.openclaw import PORT, REAL, UNIT
from tests.lab.service import START_SECONDS, Service

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600)]


def test_the_gateway_is_started_by_hand_on_the_wrong_node(joe: Service) -> None:
    """By systemd, by its own command line, and in the foreground without any unit."""
    joe.pc_b.ask(("systemctl", "--user", "start", UNIT))
    assert joe.pc_b.systemctl("is-active", UNIT) == "inactive"
    joe.pc_b.ask((REAL, "gateway", "start"), timeout=15)  # it would wait 45 s for what never comes
    assert joe.oracle.running == ("pc-a",)
    starts = joe.internet.starts()
    begun = joe.oracle.now()
    joe.auditor.excuse("pc-b", START_SECONDS)
    front = joe.pc_b.ask((REAL, "gateway", "run", "--port", str(PORT)), timeout=START_SECONDS)
    ended = joe.oracle.now()
    joe.excused.append((begun, ended))
    joe.say(f"in the foreground it ended with {front.returncode} after {ended - begun:.1f} s")
    assert front.returncode == -signal.SIGKILL
    joe.oracle.wait_for("pc-a", seconds=5)
    assert joe.internet.starts() == starts, "it has not come so far as to ask for messages"
    joe.serves_on(joe.pc_a, 3)


def test_both_nodes_reboot_with_the_unit_enabled(joe: Service) -> None:
    """After a boot a node serves nothing until it has a term, whatever its systemd starts."""
    joe.pc_b.power_cut()
    joe.pc_b.start()
    joe.serves_on(joe.pc_a, 10)
    joe.leave_undecided()
    joe.pc_a.power_cut()
    joe.pc_a.start()
    booted = joe.oracle.now()
    live = joe.wait_until_live(joe.pc_a, START_SECONDS) - booted
    joe.say(f"pc-a served again {live:.1f} s after its boot")
    assert joe.oracle.running == ("pc-a",)


def test_the_gateway_is_killed(joe: Service) -> None:
    """Back in place, and nobody moves."""
    joe.kill_gateway(joe.pc_a, START_SECONDS)
    assert joe.watchdog.moves == []
