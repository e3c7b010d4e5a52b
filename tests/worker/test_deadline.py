"""No effect of T440 begins after its run's deadline, or when its run was cancelled."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks import deadline
from tasks.core.errors import DeadlineExceeded, DualJoeError, RunCancelled
from tasks.core.move import (
    EndDrain,
    FinalSync,
    Finish,
    KillGateway,
    Outcome,
    Plan,
    RenewDrain,
    WriteRecord,
)
from tasks.core.site import Site, parse_site
from tasks.core.state import Record
from tasks.deadline import Deadline
from tasks.gateway import kill_gateway
from tasks.memory import apply_memory, publish_memory, pull_memory, restore_files
from tasks.move import Drive
from tasks.record import adopt_record, write_record
from tasks.refusals import Rejected, accept_rejected

OLD = Record(1, "pc-a")
PLAN = Plan(OLD, "pc-a", "pc-b", "a test", True, True, lossless=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without machines: an effect that is begun ends in an error of another kind."""
    text = f"""
site: joe
preferred: pc-a
watchdog: {{state: {tmp_path}, key: {tmp_path}/key, known_hosts: {tmp_path}/known_hosts,
           joe: {tmp_path}/joe.pyz, node_file: {tmp_path}/node.json}}
nodes:
  pc-a: {{address: 127.0.0.1, port: 1, user: joe}}
  pc-b: {{address: 127.0.0.1, port: 1, user: joe}}
"""
    return parse_site(text, "site.yaml")


def drive(effect: Any) -> Callable[[Site], object]:
    return lambda site: Drive(site, PLAN, lambda: None).carry_out(effect)


REJECTED = Rejected("pc-b", "memory", "id", "pc-a", 1, ())
EFFECTS: dict[str, Callable[[Site], object]] = {
    "write the record": lambda site: write_record.fn(site, "pc-b", OLD),
    "adopt a record": lambda site: adopt_record.fn(site, Record(2, "pc-b")),
    "kill a gateway": lambda site: kill_gateway.fn(site, "pc-a"),
    "pull memory": lambda site: pull_memory.fn(site, "pc-a", "pc-b", {}, 1),
    "publish memory": lambda site: publish_memory.fn(site, "pc-a", "pc-b", 1),
    "apply memory": lambda site: apply_memory.fn(site, "pc-a", "pc-b", "id", {}),
    "restore memory": lambda site: restore_files.fn(site, "pc-a", "id", "", "", False),
    "accept what was refused": lambda site: accept_rejected.fn(site, REJECTED, "why"),
    "drain": drive(RenewDrain("pc-a", 1, 0)),
    "end a drain": drive(EndDrain()),
    "kill in a move": drive(KillGateway("pc-a")),
    "the final sync": drive(FinalSync("pc-a", "pc-b")),
    "the one write": drive(WriteRecord(OLD, "pc-b")),
    "finish": drive(Finish(Outcome.STAYED, "it ends")),
}


def under(limit: Deadline, act: Callable[[], object]) -> object:
    """Do it as a run of the in-process worker does, with this deadline."""
    context = contextvars.copy_context()
    context.run(deadline.current.set, limit)
    return context.run(act)


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS.keys())
def test_no_effect_begins_after_the_deadline(site: Site, effect: Callable[[Site], object]) -> None:
    with pytest.raises(DeadlineExceeded):
        under(Deadline(0), lambda: effect(site))


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS.keys())
def test_no_effect_begins_in_a_cancelled_run(site: Site, effect: Callable[[Site], object]) -> None:
    limit = Deadline(60)
    assert limit.cancel("by hand")
    with pytest.raises(RunCancelled, match="by hand"):
        under(limit, lambda: effect(site))
    assert limit.refused


def test_a_run_that_begins_to_write_is_not_cancelled_any_more(site: Site) -> None:
    limit = Deadline(60)
    with pytest.raises(DualJoeError):  # there is no joe.pyz here
        under(limit, lambda: write_record.fn(site, "pc-b", OLD))
    assert not limit.cancel("too late")
    under(limit, deadline.check)


def test_without_a_deadline_a_run_may_always_act() -> None:
    deadline.check()
    deadline.commit()
    deadline.allow(0)
    assert deadline.left_seconds(7) == 7


def test_a_move_has_a_longer_deadline_than_the_check_that_makes_it() -> None:
    limit = Deadline(600)
    under(limit, lambda: deadline.limit_run(25))
    assert -25 <= limit.late_seconds() < -24
    under(limit, lambda: deadline.allow(270))
    assert -270 <= limit.late_seconds() < -269


def test_a_run_whose_time_is_over_does_not_give_itself_more() -> None:
    limit = Deadline(0)
    with pytest.raises(DeadlineExceeded):
        under(limit, lambda: deadline.allow(270))
    with pytest.raises(DeadlineExceeded):
        under(limit, deadline.check)


def test_a_failed_effect_that_is_coped_with_is_no_way_around_the_end_of_a_run() -> None:
    assert not issubclass(DeadlineExceeded, DualJoeError)
    assert not issubclass(RunCancelled, DualJoeError)
