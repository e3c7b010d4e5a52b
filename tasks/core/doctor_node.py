"""What a node says of itself, by its verb `diagnose` -> findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.core.findings import Finding, fail, ok, warn
from tasks.core.site import Site
from tasks.core.situation import age
from tasks.core.tiers import in_words

SHELL_SECONDS = 0.05
CLOCK_SECONDS = 5.0
LITTLE_SHARE, LITTLE_BYTES, NOTHING_BYTES = 0.10, 2_000_000_000, 200_000_000
LITTLE_INODES = 0.05
GUARD = "joe-guard.service"
OUR_UNITS = (GUARD, "joe-fuse.service")
Body = Mapping[str, Any]
"""The answer of `diagnose`, as deployments/node/diagnose.py says."""


def examine_node(site: Site, name: str, body: Body, off: float) -> Iterator[Finding]:
    """What a node says of itself; its clock is `off` seconds from T440's."""
    yield from shell(name, body)
    yield from clock(name, off)
    yield from room(name, body)
    yield from programs(name, body)
    yield from systemd(name, site.nodes[name].user, body)
    for comment in body.get("loose_keys", ()):
        yield fail(
            f"{name}: the key {comment} is not under restrict in authorized_keys",
            "python -m deployments.provision deployments/site.yaml",
        )


def shell(name: str, body: Body) -> Iterator[Finding]:
    seconds = float(body["shell_seconds"])
    if seconds > SHELL_SECONDS:
        yield warn(
            f"{name}: the login shell takes {seconds * 1000:.0f} ms to do nothing",
            "let .bashrc end at once where it is not interactive: [[ $- == *i* ]] || return",
        )
    else:
        yield ok(f"{name}: the login shell starts in {seconds * 1000:.0f} ms")


def clock(name: str, off: float) -> Iterator[Finding]:
    if abs(off) > CLOCK_SECONDS:
        yield warn(
            f"{name}: its clock is {age(abs(off))} {'ahead of' if off > 0 else 'behind'} T440's",
            "timedatectl set-ntp true; terms do not mind, dates of memory and backups do",
        )


def room(name: str, body: Body) -> Iterator[Finding]:
    disk = body["disk"]
    free, size = int(disk["free"]), max(1, int(disk["size"]))
    inodes = int(disk["free_inodes"]) / max(1, int(disk["inodes"]) or 1)
    left = f"{name}: {in_words(free)} of {in_words(size)} are free"
    remedy = "see which store uses it: joe.pyz store list"
    if free < NOTHING_BYTES:
        yield fail(left, remedy)
    elif free < LITTLE_BYTES and free < LITTLE_SHARE * size:
        yield warn(left, remedy)
    elif disk["inodes"] and inodes < LITTLE_INODES:
        yield warn(f"{name}: {inodes:.0%} of the inodes are free", remedy)
    else:
        yield ok(left)


def programs(name: str, body: Body) -> Iterator[Finding]:
    if body["settings_error"]:
        yield fail(f"{name}: {body['settings_error']}", "mend it there, or: openclaw doctor --fix")
    for program, version in body["versions"].items():
        if version is None and program != "node":  # OpenClaw may bring a node of its own
            yield fail(f"{name}: {program} cannot be run", f"install {program} there")


def systemd(name: str, user: str, body: Body) -> Iterator[Finding]:
    if body["linger"] is None:
        return
    if not body["linger"]:
        yield fail(
            f"{name}: the units of {user} do not run without a login",
            f"as root on {name}, once: loginctl enable-linger {user}",
        )
    if body["sleep"]:
        targets = " ".join(body["sleep"])
        yield warn(
            f"{name} may go to sleep; when it wakes up there can be two Joes for half a second",
            f"as root on {name}: systemctl mask {targets}",
        )
    for unit, state in body["units"].items():
        if unit in OUR_UNITS:
            if state["active"] != "active" or state["enabled"] != "enabled":
                yield fail(
                    f"{name}: {unit} is {state['active']}, {state['enabled'] or 'not installed'}",
                    f"on {name}: systemctl --user enable --now {unit}",
                )
        elif state["enabled"] == "enabled":
            yield warn(
                f"{name}: {unit} is enabled; the guard starts it, not the boot",
                f"on {name}: systemctl --user disable {unit}",
            )
        elif not state["enabled"] or "not-found" in state["enabled"]:
            yield fail(f"{name}: {unit} is not installed", "openclaw gateway install")
