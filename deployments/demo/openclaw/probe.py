"""What the command line finds out about the gateway before it prints anything."""

from __future__ import annotations

import getpass
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from .lock import read_owner
from .settings import ConfigInvalid, ConfigMissing, Settings, gateway_port, load_config


@dataclass(frozen=True)
class View:
    """The gateway as seen from outside.

    `config` is "", "missing" or "invalid"; `probe` is "ok", "refused", "timeout" or "skipped";
    `pid` is the process that holds the state folder, if any.
    """

    settings: Settings
    port: int
    config: str
    config_issue: str
    pid: int | None
    last_exit: int
    probe: str
    listening: bool

    @property
    def installed(self) -> bool:
        return self.settings.service == "systemd" and self.settings.unit_file.exists()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def state(self) -> str:
        """The unit's state in systemd's words."""
        if self.pid:
            return "active"
        return "failed" if self.last_exit else "inactive"

    @property
    def user(self) -> str:
        return getpass.getuser()


def look(settings: Settings, timeout_seconds: float, probe: bool = True) -> View:
    """Read lock, configuration and last exit code; probe the port unless told not to."""
    config, issue = "", ""
    try:
        load_config(settings)
    except ConfigMissing:
        config = "missing"
    except ConfigInvalid as error:
        config, issue = "invalid", str(error)
    port = gateway_port(settings)
    seen = fetch(port, "/healthz", timeout_seconds)[0] if probe else "skipped"
    pid = read_owner(settings.state)
    return View(settings, port, config, issue, pid, _last_exit(settings), seen, _is_listening(port))


def fetch(port: int, path: str, timeout_seconds: float) -> tuple[str, dict[str, Any]]:
    """GET from the gateway -> ("ok", body), or why not: ("refused" | "timeout", {})."""
    until = time.monotonic() + timeout_seconds
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_seconds) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            data = b""
            while chunk := _receive(connection, until):
                data += chunk
        return "ok", json.loads(data.split(b"\r\n\r\n", 1)[1])
    except socket.timeout:  # noqa: UP041 - another class before Python 3.10
        return "timeout", {}
    except (OSError, ValueError, IndexError):
        return "refused", {}


def _receive(connection: socket.socket, until: float) -> bytes:
    connection.settimeout(max(until - time.monotonic(), 0.001))
    return connection.recv(65536)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last_exit(settings: Settings) -> int:
    try:
        return int((settings.state / "stand-in-last-exit").read_text())
    except (OSError, ValueError):
        return 0
