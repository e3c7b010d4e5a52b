"""Look at both nodes at once: ssh, the node's own word, and the gateway's /healthz."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import (
    AuthFailed,
    DualJoeError,
    HostKeyMismatch,
    Unreachable,
)
from tasks.core.site import Site
from tasks.core.state import Health, Observation, Record, Ssh
from tasks.deadline import check
from tasks.journal import now
from tasks.remote.http import probe_healthz
from tasks.remote.local import call_local
from tasks.remote.nodes import node

LOCAL_SECONDS = 5.0
# The guard writes its status with every turn, twice a second.
OLDEST_STATUS_SECONDS = 6.0


@task(name="observe", cache_policy=NO_CACHE)
def observe(site: Site, names: Collection[str] = ()) -> dict[str, Observation]:
    """Both nodes at once, each within the probe deadline; `names` as for `look_at_all`."""
    return look_at_all(site, {}, names)


@task(name="observe-again", cache_policy=NO_CACHE)
def observe_until(
    site: Site,
    seen: dict[str, Observation],
    is_known: Callable[[dict[str, Observation]], bool],
    seconds: float,
) -> dict[str, Observation]:
    """Look again each second until what is seen is enough for a decision, `seconds` at most.

    Silence is counted from the first failed probe in `seen`.
    """
    end = time.monotonic() + seconds
    while not is_known(seen) and time.monotonic() < end:
        time.sleep(site.times.ask_seconds)  # the interval of looks, bounded by `end`
        check()
        seen = look_at_all(site, seen)
    return seen


def look_at_all(
    site: Site, before: dict[str, Observation], names: Collection[str] = ()
) -> dict[str, Observation]:
    """One look at both nodes and at T440's own voter; `before` is the look before it.

    `names`: whom to look into, both without it. Of another one only the voters' word is told: a
    node that is gone costs every look the whole probe deadline.
    """
    wanted = names or site.nodes
    with ThreadPoolExecutor(len(site.nodes) + 1) as pool:
        voter = pool.submit(call_local, site.watchdog, "observe", seconds=LOCAL_SECONDS)
        looks = {name: pool.submit(look, site, name) for name in wanted}
        seen = {name: found.result() for name, found in looks.items()}
        heard = voter.result().get("heard")
    since_boot = now().boot
    for name in set(site.nodes) - set(seen):
        seen[name] = Observation(name, Ssh.TIMEOUT, detail="not looked into"), time.monotonic()
    return {
        name: count_silence(
            with_heard(one, heard, site.other(name), since_boot), before.get(name), begun
        )
        for name, (one, begun) in seen.items()
    }


def with_heard(seen: Observation, raw: Any, other: str, since_boot: float) -> Observation:
    """Add what T440's voter heard: of the node itself, and of it through the other node.

    The other node's report is as old as its last ask. After a boot of T440 every age starts at the
    boot.
    """
    heard = raw if isinstance(raw, dict) else {}
    mine, theirs = heard.get(seen.node) or {}, heard.get(other) or {}
    asked, serving = mine.get("asked_s"), mine.get("serving_s")
    ages = [since_boot, serving]
    if theirs.get("peer_heard_s") is not None:
        ages.append(theirs["peer_heard_s"] + theirs["asked_s"])
    return replace(
        seen,
        asked_seconds=since_boot if asked is None else float(asked),
        heard_seconds=float(min(age for age in ages if age is not None)),
        says_serving=None if asked is None else serving is not None and serving <= asked,
    )


def look(site: Site, name: str) -> tuple[Observation, float]:
    """One node -> (observation, monotonic second at which the look began)."""
    begun = time.monotonic()
    seconds, connection = site.times.probe_seconds, node(site, name)
    try:
        word = connection.ask("observe", {"check": True}, seconds=seconds)
    except HostKeyMismatch as error:
        return Observation(name, Ssh.KEY_MISMATCH, detail=error.what), begun
    except AuthFailed as error:
        return Observation(name, Ssh.NO_ACCESS, detail=error.what), begun
    except Unreachable as error:
        ssh = Ssh.REFUSED if error.refused else Ssh.TIMEOUT
        return Observation(name, ssh, detail=error.what), begun
    except DualJoeError as error:  # ssh works, the node's program does not
        word = {"detail": str(error)}
    asked = time.monotonic()
    health = probe_healthz(connection, site.nodes[name].gateway_port, seconds)
    # A hung gateway costs the whole deadline; a link that breaks before it says nothing of one.
    in_time = time.monotonic() - asked < seconds
    if health is Health.TIMEOUT and in_time and not connection.is_open():
        return Observation(name, Ssh.TIMEOUT, detail="the link broke"), begun
    return parse_word(name, word, health), begun


def parse_word(name: str, word: dict[str, Any], healthz: Health) -> Observation:
    """The node's answer to `observe` -> Observation; what is missing or odd stays unknown."""
    gateway = word.get("gateway")
    memory = word.get("memory")
    runs = None
    if isinstance(gateway, dict):
        runs = bool(gateway.get("pids")) or bool(gateway.get("port_open"))
    age = memory.get("age_seconds") if isinstance(memory, dict) else None
    return Observation(
        node=name,
        ssh=Ssh.OK,
        healthz=healthz,
        gateway_runs=runs,
        guard=parse_guard(word.get("guard")),
        record=parse_record(word.get("record")),
        memory_age_seconds=float(age) if isinstance(age, int | float) else None,
        detail=str(word.get("detail") or word.get("record_error") or ""),
        backup_ages=parse_ages(word.get("backups")),
    )


def parse_ages(raw: Any) -> dict[str, float]:
    """{source: seconds}, without whatever is none."""
    found = raw if isinstance(raw, dict) else {}
    return {str(name): float(age) for name, age in found.items() if isinstance(age, int | float)}


def parse_guard(raw: Any) -> str:
    """The guard's status -> its state; a status that is old says that the guard is silent."""
    if not isinstance(raw, dict):
        return "absent"
    age = raw.get("age")
    fresh = isinstance(age, int | float) and age <= OLDEST_STATUS_SECONDS
    return str(raw.get("state", "")) if fresh else "silent"


def parse_record(raw: Any) -> Record | None:
    """{epoch, holder} -> Record; None for anything else."""
    if not isinstance(raw, dict):
        return None
    epoch, holder = raw.get("epoch"), raw.get("holder")
    if isinstance(epoch, int) and isinstance(holder, str):
        return Record(epoch, holder)
    return None


def count_silence(seen: Observation, before: Observation | None, begun: float) -> Observation:
    """Carry the silence of one look over to the next: it ends when ssh answers."""
    if seen.ssh is Ssh.OK:
        return seen
    since = begun
    if before is not None and before.ssh is not Ssh.OK:
        since = before.silent_from
    return replace(seen, silent_from=since, silent_seconds=time.monotonic() - since)
