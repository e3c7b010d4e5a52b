"""A site and its parts for the tables of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.core.site import Site, parse_site
from tasks.core.situation import Situation
from tasks.core.state import Health, History, Moment, Observation, Record, Ssh

SITE_TEXT = """\
site: joe
preferred: pc-a
watchdog:
  state: /var/lib/dualjoe
  key: /var/lib/dualjoe/keys/control
  known_hosts: /var/lib/dualjoe/known_hosts
  joe: /var/lib/dualjoe/joe.pyz
  node_file: /var/lib/dualjoe/node.json
nodes:
  pc-a: {address: 192.0.2.21, user: openclaw01}
  pc-b: {address: 192.0.2.22, user: openclaw02}
containers: [oc-core, oc-work]
times:
  failback_after_seconds: 300
"""
EXAMPLE = Path(__file__).parents[2] / "deployments" / "site.example.yaml"
NOW = Moment(boot=10_000.0, wall=1_800_000_000.0)
_SITE = parse_site(SITE_TEXT, "site.yaml")
A1 = Record(1, "pc-a")
B2 = Record(2, "pc-b")


def site(**changes: Any) -> Site:
    """The site of SITE_TEXT with some fields changed."""
    return _SITE.model_copy(update=changes) if changes else _SITE


def serving(node: str, **changes: Any) -> Observation:
    changes = {"heard_seconds": 0.5, "guard": "serving", **changes}
    return look(node, healthz=Health.OK, gateway_runs=True, **changes)


def idle(node: str, **changes: Any) -> Observation:
    return look(node, **changes)


def hung(node: str, **changes: Any) -> Observation:
    changes = {"heard_seconds": 0.5, "guard": "starting", **changes}
    return look(node, healthz=Health.TIMEOUT, gateway_runs=True, **changes)


def strange_body(node: str) -> Observation:
    """Somebody else's web server on the gateway's port."""
    return look(node, healthz=Health.WRONG_BODY, gateway_runs=True)


def crashed(node: str, **changes: Any) -> Observation:
    """Was let start in this boot, and nothing runs now."""
    return look(node, guard="starting", **changes)


def gone(node: str, seconds: float, ssh: Ssh = Ssh.TIMEOUT, **changes: Any) -> Observation:
    """No ssh, and heard by nobody for so long."""
    fields: dict[str, Any] = {
        "silent_seconds": seconds,
        "asked_seconds": seconds,
        "heard_seconds": seconds,
        **changes,
    }
    return Observation(node, ssh, **fields)


def strange(node: str) -> Observation:
    """It answers with another host key; whether it lives, the voters know."""
    return gone(node, 20, Ssh.KEY_MISMATCH, detail="host key changed")


def look(node: str, **changes: Any) -> Observation:
    fields: dict[str, Any] = {
        "healthz": Health.REFUSED,
        "gateway_runs": False,
        "memory_age_seconds": 60.0,
        "heard_seconds": 10_000.0,
        **changes,
    }
    return Observation(node, Ssh.OK, **fields)


def situation(
    record: Record,
    a: Observation,
    b: Observation,
    history: History | None = None,
    **site_changes: Any,
) -> Situation:
    return Situation(
        site(**site_changes), record, {"pc-a": a, "pc-b": b}, history or History(), NOW
    )
