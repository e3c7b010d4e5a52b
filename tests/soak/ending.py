"""What is asked of the machines and of Prefect at the end of a soak, and the verdicts on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from deployments.demo.botapi import overlaps
from deployments.demo.ledger import Version, account
from deployments.demo.openclaw.install import AGENTS
from deployments.demo.prefect_server import PrefectServer
from deployments.demo.story import LONGEST_GAP_SECONDS, Story, frozen
from deployments.demo.three import NODES

from .alerts import told_twice, untrue
from .curves import judge_curves, judge_restarts
from .plan import Kind
from .run import Soak, seconds_of
from .verdict import Verdict, none_of

# A run may be due, taken or running for so long; a move may take longer, but none is under way.
RUN_SECONDS = 60.0
OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")


def judge(soak: Soak) -> list[Verdict]:
    """Every verdict; ends the witness."""
    kills = sum(fault.kind is Kind.WATCH for fault in soak.faults)
    alerts = soak.alerts()
    of = f"{len(alerts)} alerts"
    false = list(untrue(alerts, soak.faults, soak.changes()))
    again = list(told_twice(alerts, soak.faults, soak.site.times.reminder_seconds))
    home = f"{soak.site.preferred} serves, no latch, nothing missing: {soak.is_home}"
    return [
        *judge_curves(soak.samples, soak.seconds),
        judge_restarts(soak.samples, kills),
        none_of("every alert was true", false, of),
        none_of("no alert was told twice", again, of),
        judge_gateways(soak.story),
        judge_memory(soak.story),
        judge_runs(soak.server),
        judge_slots(soak.server),
        Verdict("Joe is at home again", soak.is_home, home),
    ]


def judge_gateways(story: Story) -> Verdict:
    """Never two, by the process table and by the Bot API's log."""
    report = story.witness.stop()
    polls = overlaps((story.three.root / "botapi.jsonl").read_text().splitlines())
    is_seen = report.longest_gap_seconds <= LONGEST_GAP_SECONDS
    holds = is_seen and not report.both and not polls
    return Verdict("never two gateways", holds, f"{report}; {len(polls)} times two pollers")


def judge_memory(story: Story) -> Verdict:
    """No version is lost: each is in the live memory of a node, the standby's being merged when
    Joe moves there."""
    stores = [story.three.nodes[node].state / "stores" / "memory" for node in NODES]
    lost: list[set[Version]] = []
    with frozen([pid for node in NODES for pid in story.gateway_pids(node)]):
        for node in NODES:
            live = {agent: story.three.workspace(node, agent) for agent in AGENTS}
            found = account(story.three.ledger, live, stores)
            lost.append(set(found.lost))
    nowhere = sorted(set.intersection(*lost))
    breaches = [f"{one.node} wrote {one.path} at {one.t:.0f}" for one in nowhere]
    return none_of("no version of memory is lost", breaches, f"{found.written} versions")


def judge_runs(server: PrefectServer) -> Verdict:
    """No run was left as if it were still to come to its end."""
    wanted = {"flow_runs": {"state": {"type": {"any_": OPEN}}}, "limit": 200}
    runs = server.request("/flow_runs/filter", wanted)
    breaches = left_behind(runs, time.time())
    return none_of("no run was left behind", breaches, f"{len(runs)} open runs")


def left_behind(runs: Sequence[dict[str, Any]], now: float) -> list[str]:
    """A sentence each for a run that has been due, taken or running for too long."""
    found = []
    for run in runs:
        is_due = run["state_type"] == "SCHEDULED"
        since = seconds_of(run["expected_start_time"] if is_due else run["state"]["timestamp"])
        if now - since > RUN_SECONDS:
            state = f"{run['state_name']} for {now - since:.0f} s"
            found.append(f"{run['name']} ({run['id']}): {state}")
    return found


def read_failures(server: PrefectServer) -> list[dict[str, Any]]:
    """The runs that ended as Failed or Crashed, oldest first, for whoever asks why; 200 at most."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}}
    found = server.request("/flow_runs/filter", {**wanted, "sort": "START_TIME_ASC", "limit": 200})
    parts = ("name", "start_time", "end_time", "state_name")
    return [{**{part: run[part] for part in parts}, **message_of(run)} for run in found]


def message_of(run: dict[str, Any]) -> dict[str, str]:
    return {"message": run["state"]["message"] or ""}


def judge_slots(server: PrefectServer) -> Verdict:
    """No limit of Prefect's counts a run that is over."""
    limits = [
        limit
        for path in ("/concurrency_limits/filter", "/v2/concurrency_limits/filter")
        for limit in server.request(path, {"limit": 200})
    ]
    taken = [str(limit) for limit in limits if limit["active_slots"]]
    return none_of("no slot is taken", taken, f"{len(limits)} concurrency limits")
