"""OpenClaw on a lab's node: the stand-in, or the real program with the unit that it makes."""

from __future__ import annotations

import json
from typing import Any

from deployments.demo.openclaw.install import make_telegram
from tests.lab import cache
from tests.lab.files import HOME, SOURCE, as_json, put
from tests.lab.hosts import Host
from tests.lab.internet import URL

PORT = 18789
UNIT = "openclaw-gateway.service"
GUARD, FUSE = "joe-guard.service", "joe-fuse.service"
UNITS = cache.PROJECT / "deployments" / "systemd"
INSTALL_SECONDS = 120.0
REAL = "/opt/openclaw/bin/openclaw"
STAND_IN = f"{HOME}/bin/openclaw"
# As the real `openclaw gateway install` writes it, but for the program and Windows' variables.
GATEWAY_UNIT = f"""\
[Unit]
Description=OpenClaw Gateway
After=network-online.target
Wants=network-online.target
StartLimitBurst=10
StartLimitIntervalSec=300

[Service]
ExecStart={STAND_IN} gateway --port {PORT}
Restart=always
RestartSec=5
RestartPreventExitStatus=78
TimeoutStopSec=330
TimeoutStartSec=30
SuccessExitStatus=0 143
OOMPolicy=continue
KillMode=mixed
Environment=HOME={HOME}
Environment=TMPDIR=/tmp
Environment=OPENCLAW_GATEWAY_PORT={PORT}
Environment=OPENCLAW_SYSTEMD_UNIT={UNIT}

[Install]
WantedBy=default.target
"""
INSTALL = """\
import json, pathlib, sys
sys.path.append({source!r})
from deployments.demo.openclaw.install import install
install(pathlib.Path.home(), {port}, {url!r}, **json.loads(sys.stdin.read()))
"""


def install_stand_in(host: Host, settings: dict[str, Any]) -> None:
    """The stand-in in the host's home, with the real program's unit and ours; none is enabled."""
    install_alone(host, settings)
    _place_units(host)


def install_alone(host: Host, settings: dict[str, Any]) -> None:
    """The stand-in and the real program's unit, on a host that has nothing of ours."""
    script = INSTALL.format(source=SOURCE, port=PORT, url=URL)
    host.run(("python3", "-c", script), given=json.dumps(settings))
    put(host, f"{HOME}/.config/systemd/user/{UNIT}", GATEWAY_UNIT)
    host.run(("systemctl", "--user", "daemon-reload"))


def install_real(host: Host) -> None:
    """The real program; its own `gateway install` makes the unit, enables it and starts it.

    Then ours are put beside it, and it is installed again as an update does it: from there on a
    start is refused, for there is no term. (The first install refuses to go on where a drop-in is.)
    """
    config = {
        "gateway": {
            "mode": "local",
            "bind": "loopback",
            "port": PORT,
            "auth": {"mode": "token", "token": "of-the-lab"},
        },
        "channels": {"telegram": make_telegram(URL)},
    }
    put(host, f"{HOME}/.openclaw/openclaw.json", as_json(config), 0o600)
    install = (REAL, "gateway", "install", "--force")
    host.run(install, timeout=INSTALL_SECONDS)
    _place_units(host)
    host.systemctl("stop", UNIT)
    host.run(install, timeout=INSTALL_SECONDS)
    states = [host.systemctl(word, UNIT) for word in ("is-enabled", "is-active")]
    assert states == ["enabled", "inactive"], states


def _place_units(host: Host) -> None:
    for file in sorted(UNITS.rglob("*")):
        if file.is_file() and "t440" not in file.parts:
            place = file.relative_to(UNITS)
            put(host, f"{HOME}/.config/systemd/user/{place}", file.read_text())
    host.run(("systemctl", "--user", "daemon-reload"))
