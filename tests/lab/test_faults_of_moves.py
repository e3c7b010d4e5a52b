"""Something fails while Joe is being moved: nobody is left stopped, and never two serve."""

from __future__ import annotations

import subprocess

from tests.lab.files import HOME, put
from tests.lab.openclaw import PORT
from tests.lab.service import TAKEOVER_SECONDS, Service

DRAIN_SECONDS = 10.0


def test_a_planned_move_and_back(joe: Service) -> None:
    """The old holder says that it has stopped: nobody waits for a term to run out."""
    for holder, host in (("pc-b", joe.pc_b), ("pc-a", joe.pc_a)):
        ordered = joe.move(holder)
        live = joe.wait_until_live(host, 30) - ordered
        joe.say(f"{holder} served {live:.1f} s after the order")
        assert live <= 20


def test_t440_dies_before_the_one_write(joe: Service) -> None:
    """A drain was asked for; it lapses, and the old holder serves on."""
    joe.site.joe(joe.t440, "drain write", to="pc-a", epoch=1, seconds=DRAIN_SECONDS)
    asked = joe.oracle.now()
    joe.oracle.wait_for(seconds=10)
    joe.t440.power_cut()
    back = joe.wait_until_live(joe.pc_a, 45) - asked
    joe.say(f"pc-a served again {back:.1f} s after the drain was asked for")
    assert joe.epochs()["pc-a"] == 1


def test_t440_dies_right_after_the_one_write(joe: Service) -> None:
    """One node has heard of it: the move is completed without T440."""
    ordered = joe.move("pc-b")
    joe.pc_a.wait_until(lambda: 2 in (joe.epochs()["pc-a"], joe.epochs()["pc-b"]), 5, "epoch 2")
    joe.t440.power_cut()
    live = joe.wait_until_live(joe.pc_b, 45) - ordered
    joe.say(f"pc-b served {live:.1f} s after the write, without T440")
    assert joe.epochs() == {"t440": 2, "pc-a": 2, "pc-b": 2}


def test_t440_dies_with_the_write_before_anybody_heard_of_it(joe: Service) -> None:
    """The old holder serves on; when T440 is back its record is carried out."""
    joe.t440.cut("pc-a", "pc-b")
    joe.move("pc-b")
    joe.t440.power_cut()
    joe.t440.heal()
    joe.serves_on(joe.pc_a, 15)
    assert joe.epochs() == {"t440": 2, "pc-a": 1, "pc-b": 1}
    joe.t440.start()
    on = joe.oracle.now()
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS) - on
    joe.say(f"pc-b served {live:.1f} s after T440 was back")


def test_the_other_node_has_a_config_that_openclaw_refuses(joe: Service) -> None:
    """Exit code 78, which no restart mends: moved back as well."""
    put(joe.pc_b, f"{HOME}/.openclaw/openclaw.json", "{ this is no config")
    joe.decide(watch=15.0)
    ordered = joe.move("pc-b")
    joe.oracle.wait_for(seconds=10)
    live = joe.wait_until_live(joe.pc_a, 75) - ordered
    joe.say(f"pc-a served again {live:.1f} s after the move: {joe.watchdog.moves[-1].reason}")
    assert joe.epochs()["t440"] == 3


def test_another_user_s_process_holds_the_port_of_the_other_node(joe: Service) -> None:
    """It counts as a gateway that nobody there may end: pc-b lends nothing, and starts nothing."""
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {PORT})); input()"
    begun = joe.oracle.now()
    joe.auditor.excuse("pc-b", float("inf"))
    argv = joe.pc_b.argv(("python3", "-c", listen), user="root")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as stranger:
        joe.oracle.wait_for("pc-a", "pc-b", seconds=5)
        joe.decide(watch=30.0)  # pc-a waits for the votes lent to pc-b: it never says it stopped
        ordered = joe.move("pc-b")
        joe.oracle.wait_for("pc-b", seconds=15)
        live = joe.wait_until_live(joe.pc_a, 90) - ordered
        told = joe.status(joe.pc_b)
        joe.say(f"pc-a served again {live:.1f} s after the move; pc-b says {told['state']}")
        stranger.kill()
    joe.oracle.wait_for("pc-a", seconds=5)
    joe.excused.append((begun, joe.oracle.now()))
    assert told["state"] == "not stopped"


def test_the_other_node_has_no_disk_left(joe: Service) -> None:
    """It cannot keep the new record, so it lends nothing and starts nothing."""
    joe.pc_b.fill_disk()
    joe.decide(watch=15.0)
    ordered = joe.move("pc-b")
    joe.oracle.wait_for(seconds=15)
    live = joe.wait_until_live(joe.pc_a, 90) - ordered
    joe.say(f"pc-a served again {live:.1f} s after the move: {joe.status(joe.pc_b).get('why')}")
    assert joe.epochs() == {"t440": 3, "pc-a": 3, "pc-b": 1}
    joe.pc_b.free_disk()
    joe.wait_until_standby(joe.pc_b, 3, 30)


def test_t440_key_is_revoked_on_the_serving_node(joe: Service) -> None:
    """No ssh is not a dead node: its own asks are heard, so nobody moves."""
    joe.close_door("pc-a", "rpc")
    joe.serves_on(joe.pc_a, 24)
    assert joe.watchdog.moves == []


def test_the_serving_node_s_key_is_revoked_on_both_others(joe: Service) -> None:
    """It can ask nobody any more: it stops by its own clock, and the other takes over."""
    for name in ("t440", "pc-b"):
        joe.close_door(name, "answer pc-a")
    revoked = joe.oracle.now()
    stopped = joe.oracle.wait_for(seconds=20) - revoked
    live = joe.wait_until_live(joe.pc_b, TAKEOVER_SECONDS) - revoked
    joe.say(f"pc-a stopped after {stopped:.1f} s, pc-b served after {live:.1f} s")
    assert live <= TAKEOVER_SECONDS
