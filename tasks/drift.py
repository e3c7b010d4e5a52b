"""Whether both nodes would run Joe with the same settings; a person is told once of each change."""

from __future__ import annotations

import secrets

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.drift import differences
from tasks.core.errors import DualJoeError
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.notify import alert
from tasks.remote.nodes import node
from tasks.told import news

STEP_SECONDS = 15.0
SHOWN = 5


@task(name="compare-settings", cache_policy=NO_CACHE)
def compare_settings(site: Site) -> list[str]:
    """A sentence for each setting of openclaw.json in which the nodes differ; secrets stay there.

    Raises Unreachable or CommandFailed when one of them does not tell.
    """
    nonce = secrets.token_hex(16)  # another one each time: what is told once is of no use later
    one, other = site.nodes
    told = {
        name: node(site, name).call("settings describe", {"nonce": nonce}, seconds=STEP_SECONDS)
        for name in site.nodes
    }
    lines = differences(one, told[one]["entries"], other, told[other]["entries"])
    for line in lines:
        get_run_logger().warning("settings differ: %s", line)
    return lines


def report_drift(site: Site) -> None:
    """Compare, and tell a person when something is not as it was told; never an error."""
    try:
        lines = compare_settings(site)
    except DualJoeError as error:
        get_run_logger().warning("the settings could not be compared: %s", error)
        return
    new, is_over = news(site, "settings", lines)
    names = " and ".join(site.nodes)
    if new:
        more = f"; and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
        text = f"Settings of {names} differ: {'; '.join(new[:SHOWN])}{more}"
        alert(site, Level.WARN, text)
    elif is_over:
        alert(site, Level.OK, f"Settings of {names} are the same again")
