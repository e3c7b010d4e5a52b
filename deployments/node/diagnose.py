"""`diagnose`: what, beside all that a check sees, would keep this machine from taking over."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from .config import NodeConfig
from .errors import NodeError

SECONDS = 15.0
SHELL_TRIES = 3
SLEEP = ("sleep.target", "suspend.target", "hibernate.target", "hybrid-sleep.target")
GUARD, FUSE = "joe-guard.service", "joe-fuse.service"
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def diagnose(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{} -> {"name", "time": seconds since 1970, "shell_seconds", "versions": {program: text or
    null}, "settings_error": text, "disk": {"free", "size": bytes, "free_inodes", "inodes"},
    "linger": bool or null, "units": {unit: {"active", "enabled"}}, "sleep": [target that is not
    masked], "loose_keys": [comment], "program": sha256 of joe.pyz}.

    `shell_seconds`: how long the user's shell takes to do nothing when ssh starts it. `linger`,
    `units` and `sleep` are null or empty where no systemd keeps the gateway. `loose_keys`: lines of
    authorized_keys that name this program and are not under `restrict`.
    """
    is_systemd = config.supervisor == "systemd"
    return {
        "name": config.name,
        "time": time.time(),
        "shell_seconds": shell_seconds(),
        "versions": versions(config),
        "settings_error": settings_error(config),
        "disk": disk(config.state),
        "linger": linger() if is_systemd else None,
        "units": units((GUARD, FUSE, config.gateway_unit)) if is_systemd else {},
        "sleep": can_sleep() if is_systemd else [],
        "program": program_hash(),
        "loose_keys": loose_keys(Path("~/.ssh/authorized_keys").expanduser()),
    }


def shell_seconds() -> float:
    """The quickest of a few starts; a heavy .bashrc costs every ssh command that much."""
    shell = os.environ.get("SHELL", "/bin/sh")
    # As sshd starts it: bash then reads .bashrc, unless it is not the first shell.
    environment = {**os.environ, "SSH_CLIENT": os.environ.get("SSH_CLIENT", "192.0.2.1 1 22")}
    environment.pop("SHLVL", None)
    found = []
    for _ in range(SHELL_TRIES):
        begun = time.monotonic()
        run((shell, "-c", "exec true"), environment)
        found.append(time.monotonic() - begun)
    return round(min(found), 4)


def versions(config: NodeConfig) -> dict[str, str | None]:
    """openclaw, node and rsync; None for what cannot be run or says no version."""
    programs: dict[str, tuple[str, ...]] = {"rsync": ("rsync",)}
    if config.is_node:
        openclaw = openclaw_words(config)
        runtime = openclaw[0] if Path(openclaw[0]).name == "node" else "node"
        programs |= {"openclaw": openclaw, "node": (runtime,)}
    found: dict[str, str | None] = {}
    for name, argv in programs.items():
        match = _VERSION.search(run((*argv, "--version")))
        found[name] = match.group() if match else None
    return found


def openclaw_words(config: NodeConfig) -> tuple[str, ...]:
    """How the gateway's own unit starts OpenClaw: what ssh finds on its path may be another one."""
    if config.supervisor == "systemd":
        show = ("systemctl", "--user", "show", "--property=ExecStart", config.gateway_unit)
        match = re.search(r"argv\[\]=(.*?) gateway( |;)", run(show))
        if match:
            return tuple(shlex.split(match[1]))
    return config.openclaw


def program_hash() -> str:
    """Which joe.pyz answers; "" when the program does not run from one."""
    archive = Path(__file__).parents[1]
    return hashlib.sha256(archive.read_bytes()).hexdigest() if archive.is_file() else ""


def settings_error(config: NodeConfig) -> str:
    """Why openclaw.json cannot be read; "" when it can, and on T440."""
    if not config.is_node:
        return ""
    from .memory import read_settings

    try:
        return "" if read_settings(config) else f"{config.openclaw_home}/openclaw.json is missing"
    except NodeError as error:
        return error.message


def disk(folder: Path) -> dict[str, int]:
    """The disk of this machine's state."""
    found = os.statvfs(folder)
    return {
        "free": found.f_bavail * found.f_frsize,
        "size": found.f_blocks * found.f_frsize,
        "free_inodes": found.f_favail,
        "inodes": found.f_files,
    }


def linger() -> bool:
    """Whether the user's units run without a login."""
    import pwd

    return Path("/var/lib/systemd/linger", pwd.getpwuid(os.getuid()).pw_name).exists()


def units(names: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Whether each unit of the user runs, and whether a boot starts it."""
    return {
        name: {
            "active": run(("systemctl", "--user", "is-active", name)).strip(),
            "enabled": run(("systemctl", "--user", "is-enabled", name)).strip(),
        }
        for name in names
    }


def can_sleep() -> list[str]:
    """The ways to sleep that are not masked: a node that wakes up polls for a moment too long."""
    states = {name: run(("systemctl", "is-enabled", name)).strip() for name in SLEEP}
    return [name for name, state in states.items() if not state.startswith("masked")]


def loose_keys(file: Path) -> list[str]:
    """Our lines that sshd does not restrict, by their comments."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    ours = (line.strip() for line in lines if "joe.pyz" in line or "dual-joe:" in line)
    return [
        line.split()[-1]
        for line in ours
        if not line.startswith("#") and not re.match(r"restrict[, ]", line)
    ]


def run(argv: tuple[str, ...], environment: dict[str, str] | None = None) -> str:
    """What a command printed, whatever its exit code; "" when it cannot be run, or hangs."""
    if shutil.which(argv[0]) is None:
        return ""
    try:
        done = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).decode(errors="replace")
