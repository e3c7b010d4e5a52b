"""Faults at random on real processes: never two, and Joe serves again once they end."""

from __future__ import annotations

import random

from .chaos import chaos

SECONDS = 30.0


def test_whatever_is_killed_stopped_cut_or_torn_never_two_serve() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}: python -m tests.node.chaos {seed} {SECONDS:g}")
    with chaos(seed, SECONDS) as run:
        run.ground.never_two()
        run.await_service()
        for name in run.three.nodes:
            for program in ("guard", "fuse"):
                log = (run.three.machines[name].log / f"{program}.log").read_text()
                assert "Traceback" not in log, log
