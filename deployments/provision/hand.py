"""What provisioning does on a machine: it looks, and makes small changes that can be repeated.

It is sent over ssh and run by the machine's own python3 >= 3.9, stdlib only, for nothing of ours
need be there yet. One JSON order on standard input, one line of JSON behind MARK on standard
output: a login shell may print something of its own. Text travels with surrogate escapes, so that
every byte of a file survives. `~` is $HOME.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK = "dual-joe-hand "
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SHOWN = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID"


class Failed(Exception):
    """One sentence for a person; what the order names is as it was before."""


def place(path: str) -> Path:
    return Path(path).expanduser()


def environment() -> dict[str, str]:
    """For what is run here: a plain ssh has no XDG_RUNTIME_DIR, and systemctl --user needs it."""
    runtime = f"/run/user/{os.getuid()}"
    path = f"{os.environ.get('PATH', '')}:{PATH}".lstrip(":")
    return {"XDG_RUNTIME_DIR": runtime, **os.environ, "PATH": path, "LC_ALL": "C"}


def look(order: dict[str, Any]) -> dict[str, Any]:
    """{read, hash, stat, programs, units, node_file, state, port} -> what is there.

    The content of the files `read`, only the hash of `hash`, only whether there is one of `stat`.
    """
    user, path = pwd.getpwuid(os.getuid()).pw_name, environment()["PATH"]
    files = {name: look_at(name, how) for how in ("read", "hash", "stat") for name in order[how]}
    return {
        "user": user,
        "uid": os.getuid(),
        "home": str(place("~")),
        "python": list(sys.version_info[:2]),
        "files": files,
        "missing": [name for name in order["programs"] if shutil.which(name, path=path) is None],
        "linger": os.path.exists(f"/var/lib/systemd/linger/{user}"),
        "units": look_at_units(order["units"]),
        "record": read_record(order),
        "gateway_open": is_listening(int(order["port"])),
    }


def look_at(name: str, how: str = "hash") -> dict[str, Any] | None:
    """One file; None when there is none. Raises Failed for what cannot be read."""
    path = place(name)
    try:
        with open(path, "rb") as stream:
            status, data = os.fstat(stream.fileno()), b"" if how == "stat" else stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from None
    text = data.decode("utf-8", "surrogateescape") if how == "read" else ""
    sha256 = hashlib.sha256(data).hexdigest()
    mode, mtime = status.st_mode & 0o7777, status.st_mtime
    return {"sha256": sha256, "mode": mode, "mtime": mtime, "text": text}


def look_at_units(names: list[str]) -> dict[str, Any] | None:
    """The user's units by name; None when the user has no systemd that can be asked."""
    if not names:
        return None
    argv = ("systemctl", "--user", "show", f"--property={SHOWN}", *names)
    try:
        shown = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if shown.returncode:
        return None
    blocks = [block for block in shown.stdout.split("\n\n") if block.strip()]
    pairs = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return {
        one["Id"]: {
            "load": one["LoadState"],
            "active": one["ActiveState"],
            "enabled": one["UnitFileState"],
            "reload": one["NeedDaemonReload"] == "yes",
            "started": started(int(one["MainPID"])),
        }
        for one in pairs
    }


def started(pid: int) -> float:
    """The latest moment at which the process can have begun, seconds since 1970; 0.0 for none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    begun = (int(fields[19]) + 1) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + begun


def read_record(order: dict[str, Any]) -> str:
    """The record on this disk as it is written there, "" when there is none."""
    state = order["state"]
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        state = json.loads(place(order["node_file"]).read_text())["state"]
    with contextlib.suppress(OSError):
        return (place(state) / "record.json").read_text(errors="replace").strip()
    return ""


def is_listening(port: int) -> bool:
    """Whether anything listens on the TCP port, whoever owns it."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                    return True
    return False


def write(order: dict[str, Any]) -> dict[str, Any]:
    """{path, text, mode, was}: replace a file at once; folders above it are made for this user.

    `was`: the hash of what is to be replaced, None for nothing. Raises Failed when it is another
    one by now: somebody edits the file. A symlink stays one.
    """
    path = Path(os.path.realpath(place(order["path"])))
    found = look_at(str(path))
    if (found["sha256"] if found else None) != order["was"]:
        raise Failed(f"{path} was changed by somebody else just now")
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(order["text"].encode("utf-8", "surrogateescape"))
            os.fchmod(stream.fileno(), order["mode"])
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    return {}


def make_folder(folder: Path) -> None:
    for part in reversed((folder, *folder.parents)):
        with contextlib.suppress(FileExistsError):
            part.mkdir(mode=0o700)


def key(order: dict[str, Any]) -> dict[str, Any]:
    """{path, comment}: an ed25519 key pair without a passphrase, where there is no private key.

    The private half appears last, and never over another one. A public half that is missing is
    made from it.
    """
    path = place(order["path"])
    make_folder(path.parent)
    public = path.with_name(f"{path.name}.pub")
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    made = beside.with_name(f"{beside.name}.pub")
    try:
        if path.exists():
            kind, text = call(("ssh-keygen", "-y", "-f", str(path))).split()[:2]
            made.write_text(f"{kind} {text} {order['comment']}\n")
            os.replace(made, public)
        else:
            words = ("-q", "-t", "ed25519", "-N", "", "-C", order["comment"], "-f", str(beside))
            call(("ssh-keygen", *words))
            os.replace(made, public)
            os.link(beside, path)
    finally:
        for left in (beside, made):
            with contextlib.suppress(FileNotFoundError):
                left.unlink()
    return {}


def run(order: dict[str, Any]) -> dict[str, Any]:
    """{argv, seconds, input?}: one command -> {said}. Raises Failed unless it exits with 0."""
    return {"said": call(order["argv"], float(order["seconds"]), order.get("input", ""))}


def call(argv: Any, seconds: float = 30.0, text: str = "") -> str:
    try:
        done = subprocess.run(
            argv, env=environment(), input=text, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(argv)}: did not end within {seconds:g} s") from None
    except OSError as error:
        raise Failed(f"{' '.join(argv)}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-400:]
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}: {said or 'it said nothing'}")
    return done.stdout


def remove(order: dict[str, Any]) -> dict[str, Any]:
    """{files, folders}: files that may be gone already; folders where they are empty by then."""
    for name in order["files"]:
        with contextlib.suppress(FileNotFoundError):
            place(name).unlink()
    for name in order["folders"]:
        with contextlib.suppress(OSError):
            place(name).rmdir()
    return {}


def all_of(order: dict[str, Any]) -> dict[str, Any]:
    """{orders}: one after the other, without a look between."""
    for one in order["orders"]:
        ORDERS[one["do"]](one)
    return {}


ORDERS = dict(all=all_of, look=look, write=write, key=key, run=run, remove=remove)


def main() -> None:
    """Carry out the one order on standard input."""
    order = json.loads(sys.stdin.read())
    try:
        answer = ORDERS[order["do"]](order)
    except Exception as error:  # whoever asked must get a sentence, whatever went wrong here
        said = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        answer = {"error": said}
    print(MARK + json.dumps(answer))


if __name__ == "__main__":
    main()
