"""A cable or a way is cut: who may serve goes on or stops by the votes, and never both."""

from __future__ import annotations

import signal

import pytest

from deployments.demo.processes import read_command, send
from tests.lab.openclaw import PORT
from tests.lab.service import TAKEOVER_SECONDS, Service

# Longer than a term: what still serves then was granted anew, without the one that is cut off.
TERM_SECONDS = 24.0
STOP_SECONDS = 20.0
# who is cut off -> from whom
HARMLESS = {
    "T440 and the serving node do not see each other": [("pc-a", "t440")],
    "the nodes do not see each other": [("pc-a", "pc-b")],
    "T440 sees neither node": [("t440", "pc-a"), ("t440", "pc-b")],
    "the standby sees nobody": [("pc-b", "t440"), ("pc-b", "pc-a")],
}


@pytest.mark.parametrize("cuts", HARMLESS.values(), ids=HARMLESS)
def test_a_cut_that_leaves_the_serving_node_one_voter_moves_nobody(
    joe: Service, cuts: list[tuple[str, str]]
) -> None:
    for name, other in cuts:
        joe.lab.hosts[name].cut(other)
    joe.serves_on(joe.pc_a, TERM_SECONDS)
    assert joe.watchdog.moves == []
    for name, _ in cuts:
        joe.lab.hosts[name].heal()
    joe.serves_on(joe.pc_a, 3)


def test_the_serving_node_sees_nobody_but_the_internet(joe: Service) -> None:
    """Joe still polls Telegram there, so it must stop by its own clock before the other starts."""
    cut = joe.oracle.now()
    joe.pc_a.cut("t440", "pc-b")
    stopped = joe.oracle.wait_for(seconds=STOP_SECONDS) - cut
    began = joe.oracle.wait_for("pc-b", seconds=TAKEOVER_SECONDS) - cut
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS) - cut
    joe.say(
        f"pc-a stopped after {stopped:.1f} s, pc-b began after {began:.1f} s, live {live:.1f} s"
    )
    assert stopped <= STOP_SECONDS
    assert live <= TAKEOVER_SECONDS
    joe.pc_a.heal()
    joe.wait_until_standby(joe.pc_a, 2, 30)


def test_no_machine_sees_another(joe: Service) -> None:
    """Nobody serves; when the network is back Joe is, too.

    Where, depends on whom T440 hears first: a node that comes back before the holder may get him.
    """
    cut = joe.oracle.now()
    joe.pc_a.cut("t440", "pc-b")
    joe.pc_b.cut("t440")
    stopped = joe.oracle.wait_for(seconds=STOP_SECONDS) - cut
    joe.t440.wait_until(lambda: joe.oracle.now() > cut + 30, 40, "30 s have passed")
    assert joe.watchdog.moves == []
    assert joe.oracle.running == ()
    joe.pc_a.heal()
    joe.pc_b.heal()
    healed = joe.oracle.now()
    joe.t440.wait_until(lambda: len(joe.oracle.running) == 1, TAKEOVER_SECONDS, "Joe is back")
    back = joe.oracle.now() - healed
    who = ", ".join(joe.oracle.running)
    joe.say(f"pc-a stopped after {stopped:.1f} s; {who} ran a gateway {back:.1f} s after the cut")


def test_telegram_is_away_for_both_nodes(joe: Service) -> None:
    """The provider is down: moving Joe would mend nothing."""
    joe.pc_a.cut("box")
    joe.pc_b.cut("box")
    joe.site.fault(joe.pc_a, "channel-down")  # as the real one may say it
    ready = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"127.0.0.1:{PORT}/readyz")
    joe.pc_a.wait_until(lambda: joe.pc_a.run(ready) == "503", 5, "/readyz says 503")
    joe.serves_on(joe.pc_a, TERM_SECONDS)
    assert joe.watchdog.moves == []
    assert joe.status(joe.pc_a)["live"] is True


def test_the_network_pauses_for_ten_seconds(joe: Service) -> None:
    """What the numbers of the protocol are chosen to ride out."""
    joe.pc_a.unplug()
    begun = joe.oracle.now()
    joe.pc_b.wait_until(lambda: joe.oracle.now() >= begun + 10, 15, "10 s have passed")
    joe.pc_a.plug()
    joe.serves_on(joe.pc_a, TERM_SECONDS)
    assert joe.watchdog.moves == []


def test_the_serving_node_takes_no_ssh_any_more(joe: Service) -> None:
    """Nobody can look into it, but its own asks go out: it is heard, and serves on."""
    joe.pc_a.run(("systemctl", "--quiet", "stop", "ssh.socket", "ssh.service"), user="root")
    sshd = [pid for pid in joe.pc_a.group.pids() if read_command(pid).startswith("sshd:")]
    send(sshd, signal.SIGKILL)
    joe.pc_b.wait_until(lambda: not joe.pc_a.listens(22), 5, "pc-a's sshd is gone")
    joe.serves_on(joe.pc_a, TERM_SECONDS)
    assert joe.watchdog.moves == []
