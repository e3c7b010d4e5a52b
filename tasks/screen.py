"""Keeps the artifact `<site>-status` current: written when what it says changes, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from prefect.artifacts import Artifact
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import Artifact as ArtifactResponse
from prefect.logging import get_run_logger

from tasks.core.screen import is_same, stamped
from tasks.core.site import Site
from tasks.files import replace_file
from tasks.journal import now
from tasks.locks import locked
from tasks.runs import brief_client, run_id


def keep_current(site: Site, summary: str, headline: str) -> None:
    """Write the artifact when `summary` says something else than the last one that was written.

    While it does not, this is one small file read. A write that fails is a warning: it is tried
    again by the next check, as is one that finds another run at it.
    """
    if not is_same(summary, read_summary(site)):
        write(site, summary, summary, headline)


def show(site: Site, summary: str, screen: str, headline: str) -> None:
    """Write the whole screen when the artifact says something else, by Prefect's own word.

    `summary` is what checks compare with from now on. A write that fails is a warning.
    """
    shown = cast(ArtifactResponse | None, Artifact.get(artifact_key(site)))
    if shown is None or not is_same(screen, str(shown.data)):
        write(site, summary, screen, headline)


def write(site: Site, summary: str, screen: str, headline: str) -> None:
    """Write the artifact, and after it the summary: what fails between costs one more write."""
    try:
        with locked(site.watchdog.state / "status.lock", wait=False), brief_client() as client:
            artifact = ArtifactCreate(
                key=artifact_key(site),
                type="markdown",
                data=stamped(screen, now().wall),
                description=headline,
                flow_run_id=run_id(),
            )
            client.create_artifact(artifact)
            replace_file(summary_file(site), summary)
    except BlockingIOError:
        get_run_logger().info("the status is being written by another run")
    except Exception as error:  # whatever Prefect's server or the disk does, a check goes on
        get_run_logger().warning("the status was not written: %s", error)


def artifact_key(site: Site) -> str:
    """`joe-status`, for a site of that name."""
    return f"{site.site}-status"


def summary_file(site: Site) -> Path:
    """A person may read it, too."""
    return site.watchdog.state / "status.md"


def read_summary(site: Site) -> str:
    """The last summary that was written; "" when there is none, or it cannot be read."""
    try:
        return summary_file(site).read_text()
    except (OSError, ValueError):
        return ""
