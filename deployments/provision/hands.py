"""Carries out orders: on T440 as a process of its own, on a node through the user's own ssh."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployments.provision.documents import address
from deployments.provision.hand import MARK
from deployments.provision.places import places
from deployments.provision.steps import Order
from tasks.core.errors import (
    AuthFailed,
    CommandFailed,
    DualJoeError,
    HostKeyMismatch,
    RemoteError,
    Unreachable,
)
from tasks.core.site import Site

CONNECT_SECONDS = 10
SPARE_SECONDS = 60.0
"""More than the order's own deadline, for ssh and a slow machine."""
PROGRAM = Path(__file__).with_name("hand.py")
# The program comes first, by its length, then the order. -I: nothing of the user's environment.
BOOTSTRAP = (
    "import io,sys;b=sys.stdin.buffer;p=b.read(int(b.readline()));"
    "sys.stdin=io.TextIOWrapper(io.BytesIO(b.read()));"
    "exec(compile(p,'hand.py','exec'),{'__name__':'__main__'})"
)


class Hands:
    """The three machines of a site; `identity` is the private key that opens the nodes today.

    Without one ssh takes the user's own keys and agent, by the user's own configuration.
    """

    def __init__(self, site: Site, identity: Path | None = None) -> None:
        self.site, self.identity = site, identity

    def do(self, machine: str, order: Order) -> dict[str, Any]:
        """Carry out one order and return its answer.

        Raises Unreachable, HostKeyMismatch, AuthFailed; CommandFailed with what the machine said.
        """
        program = PROGRAM.read_bytes()
        given = b"%d\n%s%s" % (len(program), program, json.dumps(order).encode())
        seconds = float(order.get("seconds", 30.0)) + SPARE_SECONDS
        argv = self.argv(machine)
        try:
            done = subprocess.run(argv, input=given, capture_output=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Unreachable(machine, f"no answer within {seconds:g} s") from None
        except OSError as error:
            raise CommandFailed(machine, f"{argv[0]}: {error.strerror}", -1) from None
        for line in reversed(done.stdout.decode(errors="replace").splitlines()):
            if line.startswith(MARK):
                answer: dict[str, Any] = json.loads(line.removeprefix(MARK))
                if "error" in answer:
                    raise CommandFailed(machine, answer["error"], 1)
                return answer
        said = done.stderr.decode(errors="replace").strip()[-400:]
        raise self.explain(machine, done.returncode, said or "no answer")

    def home(self, machine: str) -> str:
        """The home of the account there. Raises as `do` does."""
        shown = self.do(machine, {"do": "run", "argv": ["sh", "-c", "printf %s ~"], "seconds": 10})
        return str(shown["said"])

    def argv(self, machine: str) -> tuple[str, ...]:
        """What runs the program of orders on a machine."""
        if machine == self.site.watchdog.name:
            return (sys.executable, "-IS", "-c", BOOTSTRAP)
        command = shlex.join(("/usr/bin/python3", "-IS", "-c", BOOTSTRAP))
        return (*self.ssh(machine), command)

    def ssh(self, machine: str) -> tuple[str, ...]:
        """ssh to a node as its user, to the pinned host key only, never with a question."""
        host, port = address(self.site, machine)
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={places(self.site, self.site.watchdog.name).known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no",
            f"ConnectTimeout={CONNECT_SECONDS}",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "ClearAllForwardings=yes",
            "ControlPath=none",
            "LogLevel=ERROR",
        )
        flags = [word for option in options for word in ("-o", option)]
        if self.identity is not None:
            flags += ["-i", str(self.identity), "-o", "IdentitiesOnly=yes"]
        return ("ssh", "-T", *flags, "-p", str(port), "-l", self.site.nodes[machine].user, host)

    def explain(self, machine: str, exit_status: int, said: str) -> RemoteError:
        """What went wrong before the machine could say anything, by what ssh said."""
        if machine == self.site.watchdog.name or exit_status != 255:
            return CommandFailed(machine, said, exit_status)
        if "Host key verification failed" in said or "IDENTIFICATION HAS CHANGED" in said:
            return HostKeyMismatch(machine, said)
        if "Permission denied" in said or "Too many authentication failures" in said:
            return AuthFailed(machine, said)
        return Unreachable(machine, said, refused="refused" in said)


def remedy(site: Site, error: DualJoeError) -> str:
    """What a person can do about it; "" when the error says it itself."""
    if not isinstance(error, RemoteError) or error.host not in site.nodes:
        return ""
    host, port = address(site, error.host)
    login = f"ssh -p {port} {site.nodes[error.host].user}@{host}"
    if isinstance(error, HostKeyMismatch):
        file = places(site, site.watchdog.name).known_hosts
        return (
            f"if {error.host} was set up anew, remove its line from {file} and from"
            " ~/.dualjoe/known_hosts on the other node; if not, somebody else answers there"
        )
    if isinstance(error, AuthFailed):
        return f"make `{login}` work with a key (ssh-copy-id), or name the key with --identity"
    if isinstance(error, Unreachable):
        return f"see that `{login}` works"
    return ""


def scan(host: str, port: int) -> str:
    """The ed25519 host key that is offered there, as `TYPE BASE64`; "" when none is."""
    argv = ("ssh-keyscan", "-T", "5", "-t", "ed25519", "-p", str(port), host)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return offered(done.stdout.splitlines())


def offered(lines: Sequence[str]) -> str:
    """The key in what ssh-keyscan printed."""
    for line in lines:
        words = line.split()
        if len(words) == 3 and words[1] == "ssh-ed25519":
            return f"{words[1]} {words[2]}"
    return ""
