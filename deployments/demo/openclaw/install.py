"""Puts the stand-in into a machine's home, as the real program's set-up leaves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..launch import write_launcher
from . import VERSION

AGENTS = ("main", "work")
TOKEN = "123456:TEST-demo-bot-token"  # noqa: S105 - of the stand-in Bot API, opens nothing
# What a fresh workspace holds; MEMORY.md and memory/ come with the first note.
FRESH_WORKSPACE = {
    "AGENTS.md": "# AGENTS\n\nRead MEMORY.md first. Write down what must outlive this session.\n",
    "IDENTITY.md": "# IDENTITY\n\n- **Name:** Joe\n- **Theme:** calm\n- **Emoji:** 🦞\n",
    "SOUL.md": "# SOUL\n\nBe kind, be brief, keep promises.\n",
    "USER.md": "# USER\n\n<!-- observed: 2026-11-01 | status: active -->\nPrefers short answers.\n",
}
# Older notes, so that a day's work changes only some of the files.
FRESH_WORKSPACE |= {
    f"memory/2026-10-{day:02d}.md": f"# 2026-10-{day:02d}\n\n- A quiet day, number {day}.\n"
    for day in range(1, 17)
}
UNIT = """\
[Unit]
Description=OpenClaw Gateway (stand-in)

[Service]
ExecStart={program} gateway run --port {port}
Restart=always
RestartPreventExitStatus=78

[Install]
WantedBy=default.target
"""


def workspace(home: Path, agent: str) -> Path:
    """The folder of an agent's memory."""
    return home / ".openclaw" / f"workspace-{agent}"


def install(home: Path, port: int, telegram_url: str, **settings: Any) -> Path:
    """Write launcher, openclaw.json, unit file and fresh workspaces; return the launcher.

    `settings` are fields of Settings. Without `telegram_url` the channel is off.
    """
    state = home / ".openclaw"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = {
        "gateway": {"mode": "local", "bind": "loopback", "port": port, "auth": {"mode": "token"}},
        "agents": {"entries": {a: {"workspace": str(workspace(home, a))} for a in AGENTS}},
        "channels": {"telegram": make_telegram(telegram_url)},
        "meta": {"lastTouchedVersion": VERSION},
    }
    (state / "openclaw.json").write_text(json.dumps(config, indent=2) + "\n")
    (state / "stand-in.json").write_text(json.dumps(settings, indent=2) + "\n")
    for agent in AGENTS:
        folder = workspace(home, agent)
        (folder / "memory").mkdir(parents=True, exist_ok=True)
        for name, text in FRESH_WORKSPACE.items():
            (folder / name).write_text(text)
    program = write_launcher(home / "bin" / "openclaw", "deployments.demo.openclaw.cli")
    unit = home / ".config/systemd/user/openclaw-gateway.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text(UNIT.format(program=program, port=port))
    return program


def make_telegram(url: str) -> dict[str, Any]:
    """The channel's part of openclaw.json."""
    return {
        "enabled": bool(url),
        "botToken": TOKEN,
        "apiRoot": url,
        "dmPolicy": "pairing",
        "network": {"dangerouslyAllowPrivateNetwork": True},
    }
