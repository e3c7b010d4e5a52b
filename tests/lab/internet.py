"""The box as the hosts' internet: the stand-in Bot API that both gateways poll."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.demo.botapi import BotApi, Overlap, overlaps
from deployments.demo.closing import Closing
from deployments.demo.processes import wait_until
from tests.lab import cache
from tests.lab.commands import is_listening
from tests.lab.lab import Lab
from tests.lab.network import ADDRESSES, BOX

PORT = 18099
URL = f"http://{ADDRESSES[BOX]}:{PORT}"
SECONDS = 20.0


class Internet(Closing):
    """Runs inside the lab until it is closed; `log` outlives it."""

    def __init__(self, lab: Lab, log: Path) -> None:
        self.log = log
        env = {**os.environ, "PYTHONPATH": str(cache.PROJECT)}
        # The stand-in listens on loopback only, as in the demo; systemd's proxy carries it out.
        carry = ("systemd-socket-activate", f"--listen={ADDRESSES[BOX]}:{PORT}")
        proxy = ("/lib/systemd/systemd-socket-proxyd", f"127.0.0.1:{PORT}")
        serve = (sys.executable, "-m", "tests.lab.internet", str(log))
        self._processes = [
            subprocess.Popen(
                lab.argv(*argv),
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
            )
            for argv in (serve, (*carry, *proxy))
        ]
        wait_until(lambda: is_listening(lab.pid, PORT), SECONDS, "the Bot API listens")

    def overlaps(self) -> list[Overlap]:
        """The proofs of two live pollers."""
        return overlaps(self.log.read_text().splitlines())

    def starts(self) -> int:
        """How often a gateway has introduced itself: each process does so before its first poll."""
        return self.log.read_text().count('"getMe"')

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(SECONDS)
            if process.stdin is not None:
                process.stdin.close()


def main(words: Sequence[str]) -> int:
    """`LOG`: serve until standard input ends."""
    with BotApi(Path(words[0]), PORT):
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
