"""The command line of the stand-in: `openclaw gateway run|start|stop|status`, `openclaw health`.

Exit codes as captured: `status` 0 in every state, `stop` without a terminal 1, `run` 78 when a
restart could not help.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from . import VERSION
from .lock import read_owner
from .probe import fetch, look
from .settings import Settings, gateway_port, load_settings

STOP_NEEDS_FORCE = (
    "This stops the operator's running gateway service. Use an isolated dev gateway (openclaw"
    " gateway run --dev, or --profile <name> with a free port) for testing, or re-run with --force"
    " if you really mean it."
)
NOT_INSTALLED = (
    "Tip: openclaw gateway install\nTip: openclaw gateway start\n"
    "Tip: systemctl --user start openclaw-gateway.service"
)
FOREIGN_HOME = (
    "[openclaw] The CLI command failed.\n"
    "[openclaw] Reason: service management skipped: non-default state dir or config path. Rerun"
    " with HOME set to the OS account home, without OPENCLAW_HOME, and with OPENCLAW_STATE_DIR and"
    " OPENCLAW_CONFIG_PATH either unset or pointing at the canonical paths for that account home"
    " and profile to {verb} the gateway.\n"
    "[openclaw] Debug: set OPENCLAW_DEBUG=1 to include the stack trace.\n"
    "[openclaw] Try: openclaw doctor\n[openclaw] Help: openclaw --help"
)
NEEDS_CREDENTIALS = "gateway status requires credentials before opening a websocket"
TICK_SECONDS = 0.05


def main(argv: Sequence[str]) -> int:
    """One command; returns its exit code."""
    settings, options = load_settings(), _parse(argv)
    if options.command == "health":
        return _health(settings, options.timeout / 1000)
    verb = options.verb or "run"
    if verb == "run":
        from .gateway import run  # the event loop's import is not for the other commands to pay

        return run(settings, options.port or gateway_port(settings))
    if verb == "start":
        return _start(settings)
    if verb == "stop":
        return _stop(settings, options.force)
    return _status(settings, options)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("openclaw", description="A stand-in for OpenClaw.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    gateway = commands.add_parser("gateway")
    gateway.add_argument("verb", nargs="?", choices=("run", "start", "stop", "status"))
    gateway.add_argument("--port", type=int)
    gateway.add_argument("--force", action="store_true")
    gateway.add_argument("--json", action="store_true")
    gateway.add_argument("--require-rpc", action="store_true")
    gateway.add_argument("--no-probe", action="store_true")
    gateway.add_argument("--timeout", type=int, default=10_000, help="milliseconds")
    health = commands.add_parser("health")
    health.add_argument("--json", action="store_true", required=True)
    health.add_argument("--timeout", type=int, default=60_000, help="milliseconds")
    return parser.parse_args(argv)


def _status(settings: Settings, options: argparse.Namespace) -> int:
    view = look(settings, options.timeout / 1000, probe=not options.no_probe)
    if options.require_rpc and view.config == "missing":
        print(NEEDS_CREDENTIALS, file=sys.stderr)
        return 1
    if options.json:
        from .documents import status_document

        print(json.dumps(status_document(view), indent=2))
    else:
        from .status import status_text

        out, errors = status_text(view)
        sys.stdout.write(out)
        sys.stderr.write(errors)
    return 1 if options.require_rpc and view.probe != "ok" else 0


def _health(settings: Settings, timeout_seconds: float) -> int:
    from .documents import health_document

    document = health_document(settings, timeout_seconds)
    print(json.dumps(document, indent=2))
    return 0 if document["ok"] else 1


def _start(settings: Settings) -> int:
    """Start the gateway in the background and wait until it is ready."""
    if settings.service == "none":
        print(FOREIGN_HOME.format(verb="start"), file=sys.stderr)
        return 1
    if not settings.unit_file.exists():
        print(NOT_INSTALLED)
        print("Gateway service disabled.", file=sys.stderr)
        return 1
    pid = read_owner(settings.state)
    if pid:
        print(f"Gateway service already running (pid {pid}).")
        return 0
    port = gateway_port(settings)
    logs = settings.state / "logs"
    logs.mkdir(exist_ok=True)
    with (logs / "gateway.log").open("ab") as log:
        argv = [sys.executable, "-IB", sys.argv[0], "gateway", "run", "--port", str(port)]
        nowhere = subprocess.DEVNULL
        gateway = subprocess.Popen(
            argv, stdin=nowhere, stdout=log, stderr=log, start_new_session=True
        )
    while gateway.poll() is None:
        if fetch(port, "/readyz", 1.0)[1].get("ready"):
            # The text after a first start was not captured.
            print("Started systemd service: openclaw-gateway.service")
            return 0
        time.sleep(TICK_SECONDS)
    print("Gateway service did not start.", file=sys.stderr)
    return 1


def _stop(settings: Settings, force: bool) -> int:
    """Stop the gateway: SIGTERM, and SIGKILL when the unit's stop timeout has passed."""
    if not force and not sys.stdin.isatty():
        print(STOP_NEEDS_FORCE, file=sys.stderr)
        return 1
    if settings.service == "none":
        print(FOREIGN_HOME.format(verb="stop"), file=sys.stderr)
        return 1
    if not settings.unit_file.exists():  # a gateway in the foreground may survive this
        print("Gateway service disabled.")
        return 0
    pid = read_owner(settings.state)
    if pid:
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + settings.stop_seconds
        while read_owner(settings.state) == pid:
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                until = float("inf")
            time.sleep(TICK_SECONDS)
    print("Stopped systemd service: openclaw-gateway.service")
    return 0
