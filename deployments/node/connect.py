"""`peer connect`: the connection of the next pulls, opened while there is nothing to pull yet."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import Failed
from .transfer import CONNECT_SECONDS, connection, peer_of

LONGEST_SECONDS = 2 * CONNECT_SECONDS


def peer_connect(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"peer"} -> {"seconds"}: pulls with `kept` have their connection now; one that was there
    stays.

    Raises Failed with the words of ssh.
    """
    peer, started = peer_of(config, p.name(params, "peer")), time.monotonic()
    to = f"{peer.user}@{peer.address}"
    with connection(config, peer, kept=True) as link:
        # -N: no program is asked for. ssh goes to the background when it has been let in.
        if _ask((*link.ssh, "-O", "check", to)) and (why := _ask((*link.ssh, "-N", to))):
            raise Failed(f"{params['peer']} cannot be reached by ssh: {why}")
    return {"seconds": round(time.monotonic() - started, 3)}


def _ask(argv: tuple[str, ...]) -> str:
    """What went wrong; "" when nothing did."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {LONGEST_SECONDS} s"
    said = done.stderr.decode("utf-8", "replace").strip()
    return (said or f"ssh ended with code {done.returncode}") if done.returncode else ""
