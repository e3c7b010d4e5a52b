"""`stay`: answer T440's cheap questions over one connection, without a new process for each.

A check each 30 s would else start Python on every machine 2,880 times a day. One JSON line comes
in, {"verb", "params"}; one goes out, {"status": exit code, "answer": what the verb would print}.
It ends with its input, when nobody asks for a while, and when this program or its node.json has
changed on the disk: the next question then starts the new one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from .config import NodeConfig, config_file
from .errors import BadInput, NodeError
from .rpc import answer, parse_object, reply

ALLOWED = ("observe", "record read")
IDLE_SECONDS = 300
LONGEST_LINE = 1 << 16


def stay(config: NodeConfig) -> int:
    """Answer line by line until the input ends."""
    files = (Path(sys.argv[0]).resolve(), config_file())
    before = [identity(file) for file in files]
    while True:
        signal.alarm(IDLE_SECONDS)  # its default ends this program
        line = sys.stdin.buffer.readline(LONGEST_LINE)
        signal.alarm(0)
        if not line or [identity(file) for file in files] != before:
            return 0
        status, words = respond(config, line)
        reply(sys.stdout, {"status": status, "answer": words})


def respond(config: NodeConfig, line: bytes) -> tuple[int, dict[str, Any]]:
    """(exit code, answer) to one line; whatever goes wrong is an answer as well."""
    try:
        request = parse_object(line)
        verb, params = request.get("verb"), request.get("params", {})
        if verb not in ALLOWED or not isinstance(params, dict):
            raise BadInput(f"stay answers {' and '.join(ALLOWED)}, with an object of params")
        return 0, answer(config, verb, params)
    except NodeError as error:
        words = {"error": error.kind, "message": error.message, "remedy": error.remedy}
        return error.exit_code, words
    except Exception as error:  # the caller must get JSON, whatever went wrong here
        return 1, {"error": "failed", "message": f"{type(error).__name__}: {error}"}


def identity(file: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written; zeros when it is gone."""
    try:
        status = os.stat(file)
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_size
