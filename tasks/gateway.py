"""Effects on gateways. A stop is proven by the node (process gone, port closed) or is no stop."""

from __future__ import annotations

import time
from enum import StrEnum

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import CommandFailed, NotStopped, RemoteError, Unreachable
from tasks.core.site import Site
from tasks.core.state import Health
from tasks.remote.http import probe_healthz
from tasks.remote.nodes import node


class Stop(StrEnum):
    """What is known of a gateway that was to be stopped; the words `gateway start` expects."""

    STOPPED = "stopped"
    UNREACHABLE = "unreachable"


@task(name="stop-gateway", task_run_name="stop-{name}", cache_policy=NO_CACHE)
def stop_gateway(site: Site, name: str, drain_seconds: float) -> Stop:
    """Stop the gateway of a node: SIGTERM, `drain_seconds` to finish, then SIGKILL.

    STOPPED only when the node proved it; UNREACHABLE when no connection could be made at all.
    Raises NotStopped when it was reached and could not prove it, or was lost in the middle.
    """
    connection = node(site, name)
    try:
        connection.call("observe", seconds=site.times.probe_seconds)
    except Unreachable:
        return Stop.UNREACHABLE
    except CommandFailed as error:
        get_run_logger().warning("%s", error)
    try:
        # the node needs time of its own to kill and to prove
        seconds = drain_seconds + 3 * site.times.kill_budget_seconds
        answer = connection.call("gateway stop", {"seconds": drain_seconds}, seconds=seconds)
    except RemoteError as error:
        raise NotStopped(f"the gateway on {name} is not proven to be stopped: {error}") from None
    if answer.get("stopped") is not True:
        raise NotStopped(f"the gateway on {name} is not proven to be stopped: {answer}")
    get_run_logger().info("%s: %s in %s s", name, answer.get("how"), answer.get("seconds"))
    return Stop.STOPPED


@task(name="kill-gateway", task_run_name="kill-{name}", cache_policy=NO_CACHE)
def kill_gateway(site: Site, name: str) -> None:
    """SIGKILL the gateway of a node. Raises NotStopped when the node cannot prove it gone."""
    try:
        seconds = 3 * site.times.kill_budget_seconds
        node(site, name).call("gateway kill", seconds=seconds)
    except RemoteError as error:
        raise NotStopped(f"the gateway on {name} is not proven to be stopped: {error}") from None


@task(name="start-gateway", task_run_name="start-{name}", cache_policy=NO_CACHE)
def start_gateway(site: Site, name: str, epoch: int, other: Stop) -> None:
    """Let a node start its gateway at `epoch`; `other` is what is known of the other node.

    Never retried: it changes a role. Raises Refused when the node's permit says no.
    """
    params = {"epoch": epoch, "other": other.value}
    seconds = site.times.probe_seconds + site.times.kill_budget_seconds
    answer = node(site, name).call("gateway start", params, seconds=seconds)
    started = "started" if answer.get("started") else "runs already"
    get_run_logger().info("%s: gateway %s (pid %s)", name, started, answer.get("pid"))


@task(name="wait-until-serving", task_run_name="watch-{name}", cache_policy=NO_CACHE)
def wait_until_serving(site: Site, name: str, seconds: float) -> float | None:
    """Seconds until the gateway's /healthz said OK, None when it did not within `seconds`."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < seconds:
        probe = min(site.times.probe_seconds, max(seconds - waited, 0.1))
        health = probe_healthz(node(site, name), site.nodes[name].gateway_port, probe)
        if health is Health.OK:
            return time.monotonic() - begun
        time.sleep(site.times.guard_tick_seconds)  # the interval of a poll, bounded above
    return None
