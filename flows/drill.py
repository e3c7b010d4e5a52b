"""Daily: rehearse a restore, so that the first one is not in the night when it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.backup import drill_source
from tasks.core.errors import DualJoeError
from tasks.core.situation import Level
from tasks.notify import alert
from tasks.pause import load_pause
from tasks.runs import is_newer_due, rename_run
from tasks.sites import DEFAULT_SITE, load_site
from tasks.tiers import show_tiers
from tasks.told import exchange


@flow(name="drill")
def drill(site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Restore each source's newest backup to a scratch folder on the DR tier, compare every
    hash, open its databases, and remove it.

    Args:
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if is_newer_due():
        return Completed(name="Skipped", message="a newer drill is due already")
    where, lines = site.other(site.preferred), list[str]()
    pause = load_pause(site)
    if pause is not None and pause.node == where:  # its being away is no failure
        rename_run(f"Skipped: {pause.short}")
        return Completed(name="Skipped", message=pause.said)
    for source in site.sources:
        try:
            result = drill_source(site, source, where)
            lines += [f"{source}: {wrong}" for wrong in result["wrong"]]
        except DualJoeError as error:
            lines.append(f"{source}: {error}")
            get_run_logger().error("%s: %s", source, error)
    before = exchange(site, f"drill on {where}", lines)
    if lines and lines != before:
        text = f"A rehearsed restore on {where} went wrong: {'; '.join(lines[:5])}"
        alert(site, Level.WARN, text)
    elif before and not lines:
        alert(site, Level.OK, f"The rehearsed restore on {where} is good again")
    show_tiers(site)
    bad = {line.partition(":")[0] for line in lines}
    text = f"{where}: {len(site.sources) - len(bad)} of {len(site.sources)} restored"
    rename_run(text)
    return Failed(message="; ".join(lines)) if lines else Completed(message=text)
