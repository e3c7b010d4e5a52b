"""The stand-in's state folder: where things are, how it behaves, and which faults a test asked for.

`openclaw.json` is the real program's file; `stand-in.json` beside it holds what only we need.
A fault is a file `faults/NAME`; its text is the value (seconds, or nothing).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAULTS = {
    "ignore-term": "SIGTERM is logged and ignored",
    "hang": "the event loop stands still: the port stays open, nothing answers, SIGTERM waits",
    "crash-at-start": "the gateway ends with exit code 1 in the middle of its start",
    "slow-start": "the start takes so many seconds",
    "foreign-body": "/healthz answers 200 with a body that is not the gateway's",
    "channel-down": "/readyz answers 503 because of a channel; /healthz stays as it is",
    "run": "an agent's run is active until the file is gone: a stop drains",
}


class ConfigMissing(Exception):
    """openclaw.json does not exist."""


class ConfigInvalid(Exception):
    """openclaw.json cannot be read; the message is the real program's."""


@dataclass(frozen=True)
class Settings:
    """How the stand-in behaves. Seconds everywhere.

    `service` is "systemd" (a unit file decides between installed and not) or "none".
    """

    node: str = "node"
    ledger: str = ""
    start_seconds: float = 3.0
    write_seconds: float = 3.0
    drain_seconds: float = 315.0
    stop_seconds: float = 330.0
    conflict_pause_seconds: float = 30.0
    service: str = "systemd"
    home: Path = field(default_factory=lambda: Path(os.environ.get("HOME", "~")).expanduser())

    @property
    def state(self) -> Path:
        return self.home / ".openclaw"

    @property
    def unit_file(self) -> Path:
        return self.home / ".config/systemd/user/openclaw-gateway.service"

    @property
    def is_enabled(self) -> bool:
        """Whether the unit starts at boot."""
        wants = self.unit_file.parent / "default.target.wants" / self.unit_file.name
        return wants.exists() or wants.is_symlink()

    def fault(self, name: str) -> str | None:
        """The fault's value, or None while no test asks for it."""
        try:
            return (self.state / "faults" / name).read_text().strip()
        except OSError:
            return None


def load_settings() -> Settings:
    """Settings of the home that $HOME names; the defaults where stand-in.json is silent."""
    defaults = Settings()
    try:
        return Settings(**json.loads((defaults.state / "stand-in.json").read_text()))
    except FileNotFoundError:
        return defaults


def load_config(settings: Settings) -> dict[str, Any]:
    """openclaw.json as an object: JSON, or JSON5 as far as line comments and trailing commas.

    Raises ConfigMissing and ConfigInvalid.
    """
    try:
        text = (settings.state / "openclaw.json").read_text()
    except OSError:
        raise ConfigMissing from None
    try:
        config = _parse(text)
    except ValueError as error:
        place = f"{getattr(error, 'lineno', 1)}:{getattr(error, 'colno', 1)}"
        reason = f"SyntaxError: JSON5: invalid end of input at {place}"
        raise ConfigInvalid(f"<root>: JSON5 parse failed: {reason}") from None
    if not isinstance(config, dict):
        raise ConfigInvalid("<root>: expected an object")
    return config


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        bare = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
        return json.loads(re.sub(r",(\s*[}\]])", r"\1", bare))


def gateway_port(settings: Settings) -> int:
    """The port that openclaw.json names; the real default without one."""
    try:
        return int(load_config(settings).get("gateway", {}).get("port", 18789))
    except (ConfigMissing, ConfigInvalid):
        return 18789
