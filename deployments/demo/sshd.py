"""An sshd on loopback without root: its configuration, and the folder that root's sshd wants."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .processes import process_table

PRIVILEGE_FOLDER = Path("/run/sshd")
# Inside the folder itself, so that whoever ends last knows that a demo made it, also after a crash.
MADE_BY_US = PRIVILEGE_FOLDER / ".made-by-the-dual-joe-demo"


def sshd_program() -> str:
    """Path of sshd (it insists on an absolute one). Raises FileNotFoundError."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError("sshd is not installed: apt-get install openssh-server")
    return found


def make_sshd_config(etc: Path, port: int, session: Mapping[str, str]) -> str:
    """The text of sshd_config for one machine; `session` is the environment of its logins.

    Raises ValueError for a folder or value that sshd_config cannot carry.
    """
    pairs = " ".join(_quoted(f"{key}={value}") for key, value in session.items())
    lines = [
        "ListenAddress 127.0.0.1",
        f"Port {port}",
        f"HostKey {_quoted(etc / 'host_key')}",
        f"PidFile {_quoted(etc / 'sshd.pid')}",
        f"AuthorizedKeysFile {_quoted(etc / 'authorized_keys')}",
        "UsePAM no",  # PAM would need root
        "StrictModes no",  # the folder may be below a group-writable one
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "AllowTcpForwarding yes",  # what a default sshd does; the keys say what is forbidden
        "PermitUserRC no",
        "PrintMotd no",
        "MaxStartups 100",
        "MaxSessions 100",
        f"SetEnv {pairs}",
        "Subsystem sftp internal-sftp",
    ]
    if _sshd_version() >= (9, 8):
        lines.append("PerSourcePenalties no")  # on loopback all machines share one address
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    text = str(value)
    if re.search(r'["\\%\n]', text):
        raise ValueError(f"{text!r}: a path with a quote, backslash or percent sign does not work")
    return f'"{text}"'


def _sshd_version() -> tuple[int, int]:
    shown = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def read_banner(port: int, seconds: float = 1.0) -> str:
    """The first line that an sshd on loopback sends; empty when none answers in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            return connection.recv(255).decode(errors="replace").strip()
    except OSError:
        return ""


def port_is_open(port: int) -> bool:
    """Whether something on loopback accepts connections at the port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ensure_privilege_folder() -> None:
    """Make /run/sshd when root's sshd would miss it, and leave our mark in it."""
    if os.geteuid() == 0:
        with contextlib.suppress(FileExistsError):
            PRIVILEGE_FOLDER.mkdir(mode=0o755)
            MADE_BY_US.touch()


def remove_privilege_folder() -> bool:
    """Remove /run/sshd if a demo made it and no sshd is left to need it; tells whether it did."""
    if not MADE_BY_US.exists() or any(p.name == "sshd" for p in process_table().values()):
        return False
    MADE_BY_US.unlink()
    with contextlib.suppress(OSError):  # someone put something into it: theirs now
        PRIVILEGE_FOLDER.rmdir()
    return True
