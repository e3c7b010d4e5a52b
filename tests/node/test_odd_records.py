"""A record that cannot be used, or an odd moment: no term, one line that says why, a way out."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from deployments.demo.three import T440

from .terms_ground import SECONDS, Terms

NODE_PROGRAM = Path(__file__).parents[2] / "deployments" / "node"
STRANGER = 12345
ODD = {
    "torn": '{"epoch": 1, "hol',
    "empty": "",
    "from the future, beyond what any count of moves could reach": '{"epoch": 1e99, "holder": 1}',
    "of a node that is none": '{"epoch": 7, "holder": "pc-z"}',
}


def test_a_node_alone_with_an_odd_record_serves_nothing_and_says_why(ground: Terms) -> None:
    """One case after the other, with both others off: nobody could set it right."""
    ground.three.t440.power_cut()
    ground.three.nodes["pc-b"].power_cut()
    ground.await_none("pc-a")
    for name, text in ODD.items():
        place_record(ground, text)
        says(ground, "cannot be used", name)
    if os.geteuid() == 0:
        place_record(ground, '{"epoch": 1, "holder": "pc-a"}', owner=STRANGER)
        says(ground, f"belongs to user {STRANGER}", "another user's")
    remove(ground)
    says(ground, "the record names nobody", "none at all")
    epoch = int(ground.bring_home())
    assert ground.record("pc-a")["epoch"] == epoch, "it was taken over again from the others"


def test_a_node_that_was_off_during_two_moves_asks_and_stands_by(ground: Terms) -> None:
    """What is on its disk names it; the others know better."""
    ground.three.nodes["pc-a"].power_cut()
    first = ground.move("pc-b")
    ground.await_serving("pc-b", first)
    second = int(ground.joe(T440, "record", "write", epoch=first + 1, holder="pc-b")["exit"])
    assert second == 0
    assert '"pc-a"' in (ground.three.nodes["pc-a"].state / "record.json").read_text()
    ground.three.nodes["pc-a"].power_on()
    ground.await_epoch("pc-a", first + 1)
    assert ground.status("pc-a")["state"] == "standby"
    assert not ground.runs("pc-a")


def test_a_record_of_a_higher_epoch_is_followed_wherever_it_turns_up(ground: Terms) -> None:
    """A restored disk, or a promotion that T440 slept through: epochs only grow."""
    epoch = int(ground.record()["epoch"]) + 1000
    place_record(ground, f'{{"epoch": {epoch}, "holder": "pc-b"}}')
    ground.await_serving("pc-b", epoch)
    wait_until(lambda: ground.record()["epoch"] == epoch, SECONDS, "T440 has adopted it")
    assert not ground.runs("pc-a")


TERM_MODULES = (
    *("term", "term_file", "timing", "messages", "wire", "kept", "voter", "fuse"),
    *("guard", "permit", "link", "record", "mark", "gateway", "supervise", "clock"),
)


@pytest.mark.parametrize("module", TERM_MODULES)
def test_a_wall_clock_that_steps_by_an_hour_is_not_even_read(module: str) -> None:
    """Terms live on CLOCK_BOOTTIME, and waits of a process on CLOCK_MONOTONIC."""
    text = (NODE_PROGRAM / f"{module}.py").read_text()
    found = re.findall(r"time\.time\b|datetime|CLOCK_REALTIME|localtime|gmtime|strftime", text)
    assert found == []


def place_record(ground: Terms, text: str, owner: int | None = None) -> None:
    """Put it on pc-a's disk."""
    remove(ground)
    file = ground.three.nodes["pc-a"].state / "record.json"
    file.write_text(text)
    if owner is not None:
        os.chown(file, owner, owner)


def remove(ground: Terms) -> None:
    (ground.three.nodes["pc-a"].state / "record.json").unlink(missing_ok=True)


def says(ground: Terms, words: str, case: str) -> None:
    """Until the guard and the status screen say so; and no gateway runs."""
    wait_until(lambda: words in str(ground.status("pc-a").get("why")), SECONDS, f"{case}: {words}")
    told = ground.run("pc-a", "status").stdout
    lines = [line for line in told.splitlines() if words in line]
    assert lines, f"{case}: {told}"
    assert "permitted" not in told, case
    assert not ground.runs("pc-a"), case
