"""`store stage`: a copy of a container's data that is consistent, SQLite included, to pull from."""

from __future__ import annotations

import fcntl
import time
from typing import Any

from . import params as p
from .commands import run_command
from .config import Commands, NodeConfig
from .errors import Refused
from .sources import find_source
from .staging import Staging


def store_stage(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"source", "texts"?: {name: text}} -> {"files", "bytes", "changed": int, "databases": int,
    "held": {path: why}, "bad": {path: why}, "skipped": [path], "state": id of the copy, "since": id
    of the copy before or "", "touched": [path], "gone": [path], "after": text, "seconds"}.

    Copies a source (sources.py) into `stage/<source>/current/{tree,manifest.json}`, which is
    exported as `stage/<source>/tree` and `stage/<source>/manifest.json`. The new copy is made
    beside from hard links to the last one and swapped in by one rename; a reader of the last one
    keeps it until the run after. A database that fails its check is `held` at its last good copy,
    or left out as `bad` when there is none. Fifos, sockets and devices are `skipped`. `touched` and
    `gone` are all that is not as in the copy before: who has that one pulls no more (delta.py).
    The source's `before` command runs first, its `after` command whatever happened between; `after`
    says what went wrong with that one: what it should have started may be down.
    Raises Refused when the source is missing or empty: an unmounted disk is no empty container; and
    when `before` failed.
    """
    name = p.name(params, "source")
    home = config.state / "stage" / name
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.monotonic()
    with open(home / ".lock", "w", encoding="ascii") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another run stages {name}") from None
        source = find_source(config, name, p.mapping(params, "texts"))
        commands, after = config.source_commands.get(name, Commands()), ""
        try:
            if commands.before and (why := run_command(commands.before, commands.seconds)):
                raise Refused(f"{name} is not staged: {why}", "mend its before command")
            result = Staging(source, home).run()
        finally:
            if commands.after:
                after = run_command(commands.after, commands.seconds)
    return {**result, "after": after, "seconds": round(time.monotonic() - started, 3)}
