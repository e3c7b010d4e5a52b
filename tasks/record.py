"""The record `{epoch, holder}`: T440 alone makes new ones, through its own joe.pyz."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.core.errors import ConfigError, DualJoeError, Refused, StaleRecord
from tasks.core.site import Site
from tasks.core.state import Observation, Record
from tasks.observe import parse_record
from tasks.remote.local import call_local
from tasks.remote.nodes import node

LOCAL_SECONDS = 10.0


def read_record(site: Site) -> Record:
    """T440's record. Raises ConfigError when there is none: then nobody may serve."""
    answer = call_local(site.watchdog, "record read", seconds=LOCAL_SECONDS)
    record = parse_record(answer.get("record"))
    if record is None or record.holder not in site.nodes:
        raise ConfigError(
            f"T440 has no record of a node of site {site.site}: write the first one with"
            f' `joe.pyz record write` and {{"epoch": 1, "holder": "{site.preferred}"}} on its'
            " standard input, if no machine has one"
        )
    return record


@task(name="write-record", task_run_name="record-{new.epoch}-{new.holder}", cache_policy=NO_CACHE)
def write_record(site: Site, new: Record, expect: Record) -> None:
    """The one durable write that is the move. Never retried: it changes a role.

    Raises StaleRecord when T440's record is no longer `expect`; nothing was changed then.
    """
    params = {**new._asdict(), "expect": expect._asdict()}
    try:
        call_local(site.watchdog, "record write", params, seconds=LOCAL_SECONDS)
    except Refused as error:
        raise StaleRecord(str(error)) from None


@task(name="spread-record", cache_policy=NO_CACHE)
def spread_record(site: Site, record: Record, names: tuple[str, ...]) -> list[str]:
    """Tell these nodes the record; returns those that have it now. The others learn later."""
    reached = []
    for name in names:
        try:
            params = dict(record._asdict())
            node(site, name).call("record write", params, seconds=site.times.probe_seconds)
            reached.append(name)
        except DualJoeError as error:
            get_run_logger().warning("record not told: %s", error)
    return reached


def nodes_behind(record: Record, observations: dict[str, Observation]) -> tuple[str, ...]:
    """The nodes that answer and know an older record, or none."""
    return tuple(
        name
        for name, seen in observations.items()
        if seen.gateway_runs is not None and (seen.record is None or seen.record < record)
    )
