"""The record `{epoch, holder}`: T440 alone makes new ones, through its own joe.pyz."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import ConfigError, Refused, StaleRecord
from tasks.core.site import Site
from tasks.core.state import Record
from tasks.deadline import check, commit
from tasks.observe import parse_record
from tasks.remote.local import call_local

LOCAL_SECONDS = 10.0


def read_record(site: Site) -> Record:
    """T440's record. Raises ConfigError when there is none: then nobody may serve."""
    return read_dated_record(site)[0]


def read_dated_record(site: Site) -> tuple[Record, float | None]:
    """T440's record, and the wall time at which T440 took it over, None when that is unknown.

    Raises ConfigError when there is no record: then nobody may serve.
    """
    answer = call_local(site.watchdog, "record read", seconds=LOCAL_SECONDS)
    record = parse_record(answer.get("record"))
    if record is None or record.holder not in site.nodes:
        raise ConfigError(
            f"T440 has no record of a node of site {site.site}: write the first one with"
            f' `joe.pyz record write` and {{"epoch": 1, "holder": "{site.preferred}"}} on its'
            " standard input, if no machine has one"
        )
    since = answer.get("since")
    return record, float(since) if isinstance(since, int | float) else None


@task(name="write-record", task_run_name="record-{holder}", cache_policy=NO_CACHE)
def write_record(site: Site, holder: str, expect: Record) -> Record:
    """The one durable write that is the move; returns the new record. Never retried.

    Its epoch is one above the highest that T440 ever heard of. Asks spread it from here. Raises
    StaleRecord when T440's record is no longer `expect`; nothing was changed then. Raises RunOver
    when this run may not act any more; once it has begun to write it is not cancelled.
    """
    commit()
    params = {"holder": holder, "expect": expect._asdict()}
    try:
        answer = call_local(site.watchdog, "record write", params, seconds=LOCAL_SECONDS)
    except Refused as error:
        raise StaleRecord(str(error)) from None
    written = parse_record(answer["record"])
    if written is None:
        raise StaleRecord(f"T440 answered {answer['record']!r} to a write")
    return written


@task(name="adopt-record", cache_policy=NO_CACHE)
def adopt_record(site: Site, newer: Record) -> None:
    """Take over a higher record that a node knows and T440 does not. Raises RunOver."""
    check()
    call_local(site.watchdog, "record write", dict(newer._asdict()), seconds=LOCAL_SECONDS)
