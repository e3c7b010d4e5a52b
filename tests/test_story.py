"""One end-to-end kill and return, as `make demo` runs it: real server, workers and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.processes import all_pids, read_command, read_marker, wait_until
from deployments.demo.story import STALL_SECONDS

PROJECT = Path(__file__).parents[1]
STORY_SECONDS = 240


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "demo"
    yield folder
    wait_until(lambda: left_running(folder) == [], 20, "nothing of the demo is left running")


def left_running(root: Path) -> list[str]:
    """Command lines of processes that belong to a demo in `root`."""
    return [
        read_command(pid)
        for pid in all_pids()
        if str(root) in read_command(pid) or read_marker(pid).startswith(f"{root}/")
    ]


def demo(root: Path, *words: str) -> subprocess.Popen[str]:
    """`make demo` without make; HOME is an empty folder, to see that nothing is written there."""
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        (sys.executable, "-m", "deployments.demo", "--root", str(root), *words),
        cwd=PROJECT,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(STORY_SECONDS + 300)
def test_the_story_holds_and_ends_within_4_minutes(root: Path) -> None:
    process = demo(root, "--exit")
    told, _ = process.communicate(timeout=STORY_SECONDS + 270)
    assert process.returncode == 0, told
    for event in (
        "backup-dr-tier has run: pc-a to pc-b: 5 of 5 sources",
        "pc-a loses power",
        "pc-b serves, ",
        "memory is merged on pc-a",
        "pc-a serves again",
        "0 lost",
        "0 with two gateways",
        "two pollers at once, by the Bot API's log: 0 times",
    ):
        assert event in told, told
    took = float(told.rsplit("the story took ", 1)[1].split(" s")[0])
    stalls = (root / "t440" / "log" / "prefect-server.log").read_text().count("] mark_work_queues")
    print(f"the story took {took:.0f} s, Prefect's database stood still {stalls} times")
    assert took < STORY_SECONDS + stalls * STALL_SECONDS
    assert list((root.parent / "home").iterdir()) == [], "nothing outside its folder"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_anywhere_it_leaves_nothing_and_can_be_run_again(
    root: Path, number: signal.Signals
) -> None:
    """Killed while Prefect starts; after a SIGKILL the machines take themselves down."""
    process = demo(root)
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    assert any("starting a Prefect server" in line for line in lines)
    begun = time.monotonic()
    process.send_signal(number)
    process.stdout.close()
    process.wait(timeout=30)
    wait_until(lambda: left_running(root) == [], 20, "every process is gone")
    print(f"{number.name}: all gone after {time.monotonic() - begun:.1f} s")
    again = demo(root)
    assert again.stdout
    assert any("starting a Prefect server" in line for line in iter(again.stdout.readline, ""))
    again.send_signal(signal.SIGTERM)
    again.stdout.close()
    again.wait(timeout=30)
