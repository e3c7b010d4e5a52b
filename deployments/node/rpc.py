"""`joe.pyz rpc`: the one door through which T440 reaches this machine.

The forced command of T440's key. The words of the request are the verb, standard input is one JSON
object of at most 1 MiB, standard output is one line of JSON. Exit codes: 0 done, 1 refused or
failed, 2 not a request that this program knows (nothing was done). `stay` answers line by line.
"""

from __future__ import annotations

import importlib
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from .config import NodeConfig, load_config
from .errors import BadInput, NodeError

MAX_INPUT_BYTES = 1 << 20
INPUT_SECONDS = 10

# verb -> module whose function `<verb with underscores>(config, params)` answers it.
# A module is imported only for its own verb: a start of the program costs milliseconds that way.
VERBS = {
    "observe": "observe",
    "permit": "permit",
    "permit start": "permit",
    "drain write": "voter",
    "drain end": "voter",
    "gateway stop": "gateway",
    "gateway kill": "gateway",
    "record read": "record",
    "record write": "record",
    "record trust": "record",
    "memory list": "memory",
    "memory base": "memory",
    "memory restore": "memory_restore",
    "settings describe": "settings",
    "diagnose": "diagnose",
    "peer connect": "connect",
    "store pull": "pull",
    "store fetch": "fetch",
    "store validate": "store",
    "store publish": "publish",
    "store accept": "accept",
    "store apply": "apply",
    "store drill": "drill",
    "store scrub": "scrub",
    "store offer": "offer",
    "store heal": "heal",
    "store restore": "store_restore",
    "store list": "store",
    "store incoming": "store",
    "store stage": "stage",
}

# word -> module and function(config, *words) that speaks to a person or a connection itself.
PROGRAMS = {
    "answer": ("voter", "serve"),
    "export": ("export", "export"),
    "guard": ("guard", "run_guard"),
    "fuse": ("fuse", "run_fuse"),
    "status": ("status", "show"),
    "promote": ("promote", "promote"),
    "alarm": ("deadman", "alarm"),
    "stay": ("stay", "stay"),
}


def require_verb(verb: str) -> None:
    """Raises BadInput for an unknown verb."""
    if verb not in VERBS:
        raise BadInput(f"unknown verb {verb[:80]!r}", "the verbs are: " + ", ".join(sorted(VERBS)))


def answer(config: NodeConfig, verb: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run one verb and return its answer; raises whatever NodeError the verb raises."""
    module = importlib.import_module("." + VERBS[verb], __package__)
    function = getattr(module, verb.replace(" ", "_"))
    result: dict[str, Any] = function(config, params)
    return result


def read_params(stream: TextIO) -> dict[str, Any]:
    """Standard input -> the parameters. Nothing at all means no parameters.

    A caller who does not end his input is cut off by SIGALRM after 10 s, which ends this program.
    Raises BadInput for more than 1 MiB, for text that is not JSON, and for JSON that is no object.
    """
    signal.alarm(INPUT_SECONDS)
    data = stream.buffer.read(MAX_INPUT_BYTES + 1) if not stream.isatty() else b""
    signal.alarm(0)
    if len(data) > MAX_INPUT_BYTES:
        raise BadInput(f"input of more than {MAX_INPUT_BYTES} bytes")
    return parse_object(data) if data.strip() else {}


def parse_object(data: bytes) -> dict[str, Any]:
    """One JSON object. Raises BadInput for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"input is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadInput("input must be one JSON object")
    return found


def reply(stream: TextIO, result: dict[str, Any]) -> None:
    """Write one line of JSON."""
    stream.write(json.dumps(result, separators=(",", ":"), sort_keys=True) + "\n")
    stream.flush()


def rpc(words: Sequence[str]) -> int:
    """One request, one line, one exit code; an unexpected error is an answer as well."""
    try:
        verb = " ".join(words)
        require_verb(verb)
        params = read_params(sys.stdin)
        reply(sys.stdout, answer(load_config(), verb, params))
    except NodeError as error:
        reply(sys.stdout, {"error": error.kind, "message": error.message, "remedy": error.remedy})
        return error.exit_code
    except Exception as error:  # the caller must get JSON, whatever went wrong here
        reply(sys.stdout, {"error": "failed", "message": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """`joe.pyz rpc|answer|export` (forced commands), `guard|fuse` (services), or `VERB...` by hand.

    `answer NODE`: the connection belongs to that node's guard, and no other may ask through it.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["rpc"]:
        try:
            asked = shlex.split(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
        except ValueError:
            asked = ["?"]
        return run_program(asked) if asked == ["stay"] else rpc(asked)
    if words and words[0] in PROGRAMS:
        return run_program(words)
    return rpc(words)


def run_program(words: Sequence[str]) -> int:
    """One of PROGRAMS; an error is one line on stderr, with the remedy in a second one."""
    module, function = PROGRAMS[words[0]]
    try:
        program = getattr(importlib.import_module("." + module, __package__), function)
        return int(program(load_config(), *words[1:]))
    except NodeError as error:
        print(f"joe {words[0]}: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"Remedy: {error.remedy}", file=sys.stderr)
        return error.exit_code
