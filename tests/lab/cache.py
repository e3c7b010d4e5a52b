"""What every lab stands on, made once a machine: the tools on the box and the hosts' file systems.

The folder is `.lab` in the project, or $DUALJOE_LAB_CACHE. Each part has the hash of what it was
made from in its name, so a changed list of packages makes a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab import cgroups

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("DUALJOE_LAB_CACHE") or PROJECT / ".lab").resolve()
USER, UID = "openclaw", 1000
# program -> the Debian package that has it
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
    "tcc": "tcc",  # for no lab, but for the tests of a wall clock that is set
}
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,dbus-user-session,openssh-server,rsync,iproute2,"
    "procps,python3,python3-venv,sqlite3,nftables,curl,ca-certificates"
)
# They would only make a boot slower or a measurement noisier.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "motd-news.timer",
    "getty@.service",
    "console-getty.service",
    "systemd-networkd-wait-online.service",
    "systemd-resolved.service",
)
FILES = {
    "etc/ssh/sshd_config.d/lab.conf": "UseDNS no\nMaxStartups 100\nMaxSessions 100\n",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=32M\n",
    f"var/lib/systemd/linger/{USER}": "",
    "etc/environment": f"XDG_RUNTIME_DIR=/run/user/{UID}\n",
}
OPENCLAW, NODE_JS = "openclaw@2026.9.6", "node@24"


class LabImpossible(Exception):
    """The lab cannot run here; the message says in words what is missing."""


def ensure_tools() -> None:
    """Install what the lab needs on the box. Raises LabImpossible."""
    if os.geteuid() != 0:
        raise LabImpossible("the lab needs root: namespaces, cgroups and systemd-nspawn")
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing and shutil.which("apt-get") is None:
        raise LabImpossible(f"missing: {', '.join(missing)}, and there is no apt-get here")
    if missing:
        _run(("apt-get", "update", "-qq"))
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
        _run(install, {"DEBIAN_FRONTEND": "noninteractive"})
    why = [*cgroups.why_not(), *_why_no_namespaces()]
    if why:
        raise LabImpossible("; ".join(why))


def _why_no_namespaces() -> Iterator[str]:
    """Try once, in a namespace that ends at once, what the lab does with mounts and links."""
    trial = (
        "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/all"
        " && mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /mnt/all"
        " && ip link add trial type bridge && ip link add one type veth peer name other"
    )
    argv = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", trial)
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        yield f"no namespaces with overlay, bridge and veth here: {done.stderr.strip()[-200:]}"


def base() -> Path:
    """The root file system of a plain host; made when it is not there. Raises LabImpossible."""
    made_from = [_codename(), PACKAGES, MASKED, FILES, UID]
    return _made("base", made_from, _make_base)


def openclaw() -> Path:
    """The folder that hosts see as /opt/openclaw: the real OpenClaw with its node."""
    return _made("openclaw", [OPENCLAW, NODE_JS], _make_openclaw)


def libraries() -> Path:
    """Where this interpreter's own .venv has its libraries; T440's Prefect runs on them."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sys.prefix) / "lib" / version / "site-packages"


def _made(kind: str, made_from: object, make: Callable[[Path], None]) -> Path:
    key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
    wanted = FOLDER / f"{kind}-{key}"
    with _only_one(kind):
        if not wanted.is_dir():
            for old in FOLDER.glob(f"{kind}-*"):
                shutil.rmtree(old)
            beside = FOLDER / f".{kind}"
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            make(beside)
            beside.rename(wanted)
    return wanted


@contextmanager
def _only_one(kind: str) -> Iterator[None]:
    """Two test runs of one checkout must not make the same part at once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f".{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_base(target: Path) -> None:
    settings = (
        "--aptopt=APT::Install-Recommends false",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=force-unsafe-io",
    )
    # In a mount namespace of its own: what it mounts goes with it, however it ends.
    program = ("unshare", "--mount", "mmdebstrap", "--quiet", "--variant=minbase")
    argv = (*program, f"--include={PACKAGES}", *settings)
    _run((*argv, _codename(), str(target), "-"), given=_sources())
    inside = ("chroot", str(target))
    _run((*inside, "useradd", "-m", "-u", str(UID), "-s", "/bin/bash", USER))
    _run((*inside, "systemctl", "--quiet", "enable", "systemd-networkd", "ssh"))
    for name, text in FILES.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)
    for unit in MASKED:
        link = target / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for key in (target / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(target / name, ignore_errors=True)
    for name in ("opt/openclaw", "opt/source"):
        (target / name).mkdir(parents=True)


def _make_openclaw(target: Path) -> None:
    if shutil.which("npm") is None:
        raise LabImpossible("npm is missing, which brings the real OpenClaw: apt-get install npm")
    npm = ("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(target))
    _run((*npm, NODE_JS))
    found = [file for file in target.rglob("bin/node") if file.is_file() and not file.is_symlink()]
    if not found:
        raise LabImpossible(f"{NODE_JS} from npm holds no program")
    # OpenClaw's own install steps must run with the node that will run it.
    path = f"{found[0].parent}:{os.environ['PATH']}"
    _run((*npm, OPENCLAW), {"PATH": path})
    programs = target / "bin"
    programs.mkdir()
    shutil.copy2(found[0], programs / "node")
    program = programs / "openclaw"
    entry = "/opt/openclaw/node_modules/openclaw/openclaw.mjs"
    program.write_text(f'#!/bin/sh\nexec /opt/openclaw/bin/node {entry} "$@"\n')
    program.chmod(0o755)


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LabImpossible("/etc/os-release has no VERSION_CODENAME: the lab needs Debian")


def _sources() -> str:
    """Where this machine's own apt gets Debian from."""
    folder = Path("/etc/apt/sources.list.d")
    texts = [file.read_text() for file in sorted(folder.glob("*.sources"))]
    single = Path("/etc/apt/sources.list")
    lines = single.read_text() if single.exists() else ""
    stanzas = [part for text in texts for part in text.split("\n\n")]
    fitting = [part.strip() for part in stanzas if f"Suites: {_codename()}" in part]
    if fitting:
        return "\n\n".join(fitting) + "\n"
    if _codename() in lines:
        return lines
    raise LabImpossible(f"no apt source of {_codename()} on this machine")


def _run(argv: tuple[str, ...], env: Mapping[str, str] = {}, given: str = "") -> None:
    done = subprocess.run(
        argv, input=given, text=True, capture_output=True, env={**os.environ, **env}
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise LabImpossible(f"{' '.join(argv[:4])} ... ended with {done.returncode}: {said}")


def main() -> int:
    """Make what the lab needs, or say in words why it cannot run here."""
    try:
        ensure_tools()
        print("lab: the hosts' file system (a minute when it is made anew)", flush=True)
        base()
        print("lab: the real OpenClaw (a minute or two when it is made anew)", flush=True)
        openclaw()
    except LabImpossible as error:
        print(f"lab: not all of it can run here, and what cannot is skipped: {error}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
