"""Small flows that a test copies into a folder of its own; they talk to it by files there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prefect import flow, task

from tasks.deadline import check, commit, limit_run

HERE = Path(__file__).parents[1]


def say(line: str) -> None:
    """One line that the test reads, with the moment."""
    with (HERE / "said").open("a") as stream:
        stream.write(f"{time.time()} {line}\n")


def wait_for(gate: str) -> None:
    """Until the test opens the gate."""
    while not (HERE / gate).exists():
        time.sleep(0.01)


say(f"imported by {os.getpid()}")


@task
def step() -> int:
    return 1


@flow
def quick(name: str = "") -> int:
    say(f"quick {name}")
    return step()


@flow
def meet(name: str) -> None:
    """Ends when its test says so."""
    say(f"at {name}")
    wait_for("open")


@flow
def raise_it() -> None:
    raise ValueError("as it is meant to")


@flow
def part() -> None:
    """Waits, and then would act."""
    say("part begins")
    wait_for("open")
    check()
    say("acted")


@flow
def act_at_the_gate() -> None:
    part()


@flow
def write_and_go_on() -> None:
    commit()
    say("written")
    wait_for("open")
    check()
    say("told")


@flow
def hang() -> None:
    """As a call that never returns."""
    limit_run(1)
    say("hangs")
    wait_for("never")


@flow
def stop_soon() -> None:
    """Looks each moment whether it may go on, as a check does."""
    say("looks")
    while True:
        time.sleep(0.05)
        check()
