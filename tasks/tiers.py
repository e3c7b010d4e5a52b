"""The table of all backups, kept current as the artifact `<site>-backups`."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from tasks.core.errors import RemoteError
from tasks.core.site import Site
from tasks.core.tiers import describe_tiers
from tasks.journal import now
from tasks.remote.nodes import node


def show_tiers(site: Site) -> None:
    """Ask both nodes and write it; of a node that is away nothing is known."""
    stores = {}
    for name in site.nodes:
        try:
            told = node(site, name).call("store list", seconds=site.times.probe_seconds)
        except RemoteError as error:
            get_run_logger().warning("%s", error)
            continue
        stores[name] = told["stores"]
    markdown = describe_tiers(site, stores, now().wall)
    create_markdown_artifact(key=f"{site.site}-backups", markdown=markdown)
