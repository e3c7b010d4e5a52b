"""`python -m deployments.demo`: a failure, a failover and a failback on this machine, by itself."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from deployments.schedules import with_intervals
from tasks.core.site import Site, parse_site
from tasks.remote.local import call_local

from .botapi import BotApi
from .containers import writer_argv
from .prefect_server import FAST, PROJECT, PrefectServer
from .story import Story, StoryError, say
from .three import ThreeMachines
from .witness import Witness

ROOT = PROJECT / ".demo"
# From the deployment to the first backup: the workers must be there by then.
FIRST_BACKUP_SECONDS = 14


def main() -> int:
    """Set up, tell the story, stay up until Ctrl-C; exit 1 when a claim did not hold."""
    options = parse_arguments()
    end_as_by_ctrl_c()
    try:
        with world(options.root, options.speed) as (story, server):
            return play(story, server, stay=not options.exit)
    except KeyboardInterrupt:
        say("stopped: every process of the demo is gone; what it wrote is in " + str(options.root))
        return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--speed",
        type=float,
        default=10.0,
        help="divides the intervals of check, sync and failback, and those of the hourly backups"
        " six times as much; 1 = the real schedules; never a deadline (default 10)",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the demo (.demo)")
    parser.add_argument("--exit", action="store_true", help="end after the story")
    options = parser.parse_args()
    if not 1 <= options.speed <= 30:
        parser.error("--speed must be from 1 to 30")
    return options


def end_as_by_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP raise KeyboardInterrupt, too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)


def play(story: Story, server: PrefectServer, *, stay: bool) -> int:
    """Tell the story; 0 when every claim held."""
    begun, failed = time.monotonic(), 0
    try:
        story.tell()
        say(f"the story took {time.monotonic() - begun:.0f} s, and every claim was checked")
    except (StoryError, TimeoutError) as error:
        failed = 1
        say(f"THIS DID NOT HOLD: {error}")
        say(f"logs of the machines: {story.three.root}/*/log and {story.three.root}/*/state")
    if stay:
        say(f"look around: {server.address} (runs, forms, artifacts). Ctrl-C ends it all.")
        while True:
            signal.pause()
    return failed


@contextlib.contextmanager
def world(root: Path, speed: float) -> Iterator[tuple[Story, PrefectServer]]:
    """The machines, the Bot API, Prefect with its workers and the witness; gone afterwards."""
    say(f"setting up three machines on loopback in {root} (speed {speed:g})")
    with contextlib.ExitStack() as stack:
        root.mkdir(parents=True, exist_ok=True)
        api_log = root / "botapi.jsonl"
        api_log.unlink(missing_ok=True)
        api = stack.enter_context(BotApi(api_log))
        three = stack.enter_context(ThreeMachines(root, telegram_url=api.url))
        for line in three.swept:
            say(f"cleaned up: {line}")
        three.power_on_all()
        witness = stack.enter_context(Witness(three.root, root / "witness.jsonl"))
        say("t440, pc-a and pc-b run: an sshd each, own homes, keys, run folders and boot ids")
        three.t440.spawn(writer_argv(three.sources), {}, three.t440.log / "containers.log")
        site, file = write_site(three, speed)
        call_local(site.watchdog, "record write", first_record(site), seconds=10)
        say("no systemd on loopback: a guard is restarted when it dies, not when it hangs")
        server = PrefectServer(three.t440, FAST if speed > 1 else None)
        say(f"starting a Prefect server of its own on port {server.port} ...")
        server.start()
        say("deploying the flows and starting the workers ...")
        server.deploy(scaled_deployments(site), file)
        server.start_workers()
        say(f"Prefect's UI: {server.address}")
        yield Story(three, server, witness, site.times), server


def first_record(site: Site) -> dict[str, Any]:
    """The record of a pair that never moved."""
    return {"epoch": 1, "holder": site.preferred}


def write_site(three: ThreeMachines, speed: float) -> tuple[Site, Path]:
    """T440's site file with the demo's intervals; deadlines and terms stay what they are."""
    hourly = speed if speed == 1 else speed * 6
    document = three.site_document()
    document["times"] = {
        "check_seconds": 30 / speed,
        "sync_seconds": 300 / speed,
        "failback_after_seconds": 300 / speed,
        "backup_seconds": 3600 / hourly,
    }
    file = three.t440.home / "site.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return parse_site(file.read_text(), str(file)), file


def scaled_deployments(site: Site) -> dict[str, Any]:
    """prefect.yaml with the demo's intervals; at real speed the backups keep :00 and :30."""
    document = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    anchor = None
    if site.times.backup_seconds != 3600:
        anchor = datetime.now(UTC) + timedelta(seconds=FIRST_BACKUP_SECONDS)
    return with_intervals(document, site.times, anchor)


if __name__ == "__main__":
    sys.exit(main())
