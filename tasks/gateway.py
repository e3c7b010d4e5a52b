"""Effects on gateways. A stop is proven by the node (process gone, port closed) or is no stop."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import NotStopped, RemoteError
from tasks.core.site import Site
from tasks.core.state import Health
from tasks.deadline import check
from tasks.remote.http import probe_healthz
from tasks.remote.nodes import node


@task(name="kill-gateway", task_run_name="kill-{name}", cache_policy=NO_CACHE)
def kill_gateway(site: Site, name: str) -> None:
    """SIGKILL the gateway of a node. Raises NotStopped when the node cannot prove it gone.

    Raises RunOver when this run may not act any more.
    """
    check()
    try:
        seconds = 3 * site.times.kill_budget_seconds
        node(site, name).call("gateway kill", seconds=seconds)
    except RemoteError as error:
        raise NotStopped(f"the gateway on {name} is not proven to be stopped: {error}") from None


def is_serving(site: Site, name: str) -> bool:
    """Whether the node's gateway says of itself, within the probe deadline, that it is live."""
    port = site.nodes[name].gateway_port
    return probe_healthz(node(site, name), port, site.times.probe_seconds) is Health.OK
