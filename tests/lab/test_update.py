"""A new version comes to a Joe that runs: T440 first, the node that serves last."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from tests.lab import cache
from tests.lab.bare import Bare
from tests.lab.earlier import check_out_earlier
from tests.lab.openclaw import GUARD
from tests.lab.oracle import Oracle
from tests.lab.service import START_SECONDS, TAKEOVER_SECONDS

CHECK_SECONDS = 60.0
AWAY_SECONDS = 45.0
RUN_SECONDS = 120.0


@pytest.mark.timeout(900)
def test_versions_work_together_until_the_last_machine_is_updated(
    ground: None, tmp_path: Path
) -> None:
    """Halfway, when nobody agrees to disturb Joe, the nodes are of two versions: for as long as
    one likes they sync, take over from each other and move back.
    """
    name = check_out_earlier(tmp_path / "earlier")
    with Bare(tmp_path) as bare:
        with Oracle({name: host.group for name, host in bare.nodes.items()}) as oracle:
            bare.check_out(tmp_path / "earlier")
            code, told = bare.provision("--yes")
            assert code == 0, told
            wait_until(lambda: bare.serving() == ["pc-a"], START_SECONDS, "pc-a serves")

            bare.check_out(cache.PROJECT)
            guards = {node: host.procs(GUARD) for node, host in bare.nodes.items()}
            code, told = bare.provision()
            print(told)
            assert code == 1 and "not agreed to: pc-a: replace" in told
            assert told.index("t440: restart prefect-worker") < told.index("pc-b: replace")
            assert bare.nodes["pc-a"].procs(GUARD) == guards["pc-a"], "nobody agreed"
            assert bare.nodes["pc-b"].procs(GUARD) != guards["pc-b"]

            works(bare, "pc-a serves")
            bare.nodes["pc-a"].power_cut()
            wait_until(lambda: bare.serving() == ["pc-b"], TAKEOVER_SECONDS, "the new one serves")
            bare.nodes["pc-a"].start()
            works(bare, "pc-b serves")
            bare.prefect.finish("failback/joe", START_SECONDS)
            wait_until(lambda: bare.serving() == ["pc-a"], START_SECONDS, "the old one serves")
            works(bare, "pc-a serves")

            code, told = bare.provision("--yes")
            print(told)
            assert code == 0, told
            assert told.count("Joe runs on pc-a and is restarted once") == 1
            wait_until(lambda: bare.serving() == ["pc-a"], START_SECONDS, "pc-a serves anew")
            works(bare, "pc-a serves")
            assert bare.provision() == (0, "nothing to do\n")
        seen = oracle.stop()
        before, after = seen.of("pc-a")[-2:]
        away = after[0] - before[1]
        print(f"from {name}: {seen}: Joe was away for {away:.1f} s")
        assert away < AWAY_SECONDS
        assert not seen.both and not seen.blind


def works(bare: Bare, words: str) -> None:
    """Checks say who serves, and memory and backups are carried."""

    def is_told() -> bool:
        return words in bare.prefect.told(limit=1)

    wait_until(is_told, CHECK_SECONDS, f"the newest check says {words!r}")
    for flow in ("memory-sync", "backup-primary-tier", "backup-dr-tier"):
        bare.prefect.finish(f"{flow}/joe", RUN_SECONDS)
