"""rsync over ssh, pulled by this machine: argv built pure, run once, a deadline on both sides."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .config import NodeConfig, Peer
from .errors import BadInput, Failed
from .memory import SETTLED
from .rsync_output import (
    IDLE_SECONDS,
    KILLED,
    TIMED_OUT_BY_KILL,
    Pass,
    explain,
    is_not_exported,
    parse_pass,
)

CONNECT_SECONDS = 5
KEPT_SECONDS, LONGEST_KEPT_SECONDS = 600, 3600  # twice the time from one sync to the next
LONGEST_SOCKET_PATH = 80  # a unix socket's path ends at 108 bytes, and ssh adds a suffix of 17

# -@-1: times are compared to the nanosecond. With whole seconds, a rewrite of the same size within
# one second is never seen.
COMMON = (
    "rsync",
    "-@-1",
    "--stats",
    "--no-human-readable",
    "--out-format=%i",
    f"--timeout={IDLE_SECONDS}",
)
# Memory: plain files only; neither links nor special files travel. Modes are made usable.
MEMORY = ("-rtpm", "--fsync", "--delete", "--delete-excluded", "--chmod=Du+rwx,Fu+rw")
# Backups: everything that the receiver may keep, owners by number. No --fsync: 20,000 files take
# five times as long with it, publishing syncs all at once, and the peer's manifest is compared.
# What a cut pull had of a file stays in its place, dated 1970, for the next one; before one came to
# its end nothing is published. (--partial-dir costs a look for each file: half as long again.)
BACKUP = ("-rlptgoH", "--delete", "--numeric-ids", "--partial")
# The same for some paths alone, named on standard input. Each comes as a file of its own, whatever
# its size and time: one that was written in place with its time set back comes too, and a changed
# mode is no change of the snapshots that share the file. An export allows no option that deletes.
NAMED = (
    *("-lptgoH", "--ignore-times", "--numeric-ids", "--partial"),
    *("--files-from=-", "--from0"),
)


class NotExported(Failed):
    """The peer does not export this: not at all, or its program is of an earlier version."""


@dataclass(frozen=True)
class Link:
    """A connection to a peer that several rsync runs share."""

    peer: Peer
    ssh: tuple[str, ...]


def make_ssh(peer: Peer, socket: Path, unused_seconds: int = 10) -> tuple[str, ...]:
    """The ssh command: only the pinned host key, only this key, nothing of the user's own setup."""
    options = (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={peer.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        f"ConnectTimeout={CONNECT_SECONDS}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "LogLevel=ERROR",
        "ControlMaster=auto",
        f"ControlPersist={unused_seconds}",  # if we are killed before the close, it ends by itself
        f"ControlPath={socket}",
    )
    flags = tuple(word for option in options for word in ("-o", option))
    return ("ssh", "-F", "none", *flags, "-i", str(peer.key), "-p", str(peer.port))


def make_rsync(
    link: Link, export: str, target: Path, options: Sequence[str], seconds: int
) -> tuple[str, ...]:
    """The rsync command that pulls one export into a folder (or one file to a path)."""
    host = f"[{link.peer.address}]" if ":" in link.peer.address else link.peer.address
    shell = " ".join(shlex.quote(word) for word in link.ssh)
    source = f"{link.peer.user}@{host}:t{seconds}/{export}"
    return (*COMMON, *options, "-e", shell, "--", source, str(target))


def peer_of(config: NodeConfig, name: str) -> Peer:
    """Raises BadInput for a machine that this one has no way to reach."""
    peer = config.peers.get(name)
    if peer is None:
        raise BadInput(f"{config.name} knows no peer {name}", "add it to this machine's node.json")
    return peer


@contextmanager
def connection(config: NodeConfig, peer: Peer, kept: bool = False) -> Iterator[Link]:
    """An ssh connection for the time of a pull: a second pass then costs a fifth.

    With `kept` it may be one that an earlier pull left, and is left for the next: to connect is
    most of a small pull's time. It ends when it was not used for KEPT_SECONDS, when the peer was
    silent for 15 s, and at the first pull an hour after it began: a key that was revoked is of no
    use then.
    """
    run = config.run if len(str(config.run)) < LONGEST_SOCKET_PATH - 20 else None
    if run:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
    if kept and run:
        socket = run / f"kept-{hashlib.sha256(repr(peer).encode()).hexdigest()[:8]}"
        if not _is_young(socket):
            _close(peer, socket)
        yield Link(peer, make_ssh(peer, socket, KEPT_SECONDS))
        return
    folder = Path(tempfile.mkdtemp(prefix="joe-", dir=run))
    try:
        yield Link(peer, make_ssh(peer, folder / "s"))
    finally:
        _close(peer, folder / "s")
        shutil.rmtree(folder, ignore_errors=True)


def _is_young(socket: Path) -> bool:
    """Not from the future either: a clock that was set back must not keep it for ever."""
    try:
        return 0 <= time.time() - os.lstat(socket).st_mtime < LONGEST_KEPT_SECONDS
    except FileNotFoundError:
        return False


def _close(peer: Peer, socket: Path) -> None:
    if socket.exists():
        close = (*make_ssh(peer, socket), "-O", "exit", peer.address)
        subprocess.run(close, capture_output=True, timeout=CONNECT_SECONDS, check=False)


def run_rsync(
    argv: Sequence[str],
    deadline: float,
    lock: int,
    names: Sequence[str] = (),
    meanwhile: Callable[[], None] | None = None,
) -> Pass:
    """Run one pass; `deadline` is on time.monotonic(), `names` are the paths that it may name,
    `meanwhile` is done while it runs.

    The child holds the store's lock with us, and `timeout` ends it even when we are killed.
    Raises Failed, with rsync's own words, on anything but "done" or "a file vanished meanwhile".
    """
    started = time.monotonic()
    left = deadline - started
    if left < 1:
        raise Failed("the deadline of this pull has passed")
    guarded = ("timeout", "-k", "10", f"{left:.0f}", *argv)
    # Files, no pipes: nobody reads while something else is done.
    with (
        tempfile.TemporaryFile() as listed,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        listed.write(b"".join(os.fsencode(name) + b"\0" for name in names))
        listed.seek(0)
        child = subprocess.Popen(
            guarded,
            stdin=listed,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            pass_fds=(lock,),
            env={**os.environ, "LC_ALL": "C"},
        )
        try:
            if meanwhile:
                meanwhile()
            child.wait(timeout=left + 15)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        output.seek(0)
        told = output.read().decode("utf-8", "replace")
        errors.seek(0)
        words = errors.read(100_000).decode("utf-8", "replace")
    code = child.returncode
    if code == TIMED_OUT_BY_KILL and time.monotonic() < started + int(left):
        code = KILLED  # `timeout` ends with this code, too, when its child was killed by another
    if code not in (0, 24):
        kind = NotExported if is_not_exported(words) else Failed
        raise kind(explain(code, words))
    return replace(
        parse_pass(told),
        vanished=code == 24,
        settled=SETTLED in words.splitlines(),
    )
