"""What is to be put on the machines, read from this project; and a look at T440's Prefect."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import yaml

from deployments.build_node import build
from deployments.demo.prefect_api import request_json
from deployments.provision.places import DROP_IN, FUSE, GUARD
from deployments.provision.plan import Wanted
from deployments.provision.steps import Prefect, Program
from deployments.provision.units import SERVER, WORKER_TEMPLATE, node_units, watchdog_units
from deployments.provision.watchdog_units import Deployment
from deployments.schedules import with_intervals
from deployments.settings import API, make_place, read_settings
from tasks.core.site import Site

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATES = PROJECT / "deployments" / "systemd"
CODE = ("flows", "tasks", "deployments")


def make_wanted(site: Site, site_file: Path, *, units: bool) -> Wanted:
    """Everything that a plan needs to know of this project; without `units` no systemd."""
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        joe = build(Path(folder) / "joe.pyz").read_bytes()
    return Wanted(
        joe=Program(joe.decode("utf-8", "surrogateescape"), hashlib.sha256(joe).hexdigest()),
        node_units=node_units(_texts((FUSE, GUARD, DROP_IN)), site) if units else None,
        deployment=_deployment(site, site_file) if units else None,
    )


def _texts(names: tuple[str, ...], folder: Path = TEMPLATES) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in names}


def _deployment(site: Site, site_file: Path) -> Deployment:
    with tempfile.TemporaryDirectory(prefix="dj") as folder:
        # Prefect makes its home when it is imported, and a look must change nothing.
        os.environ.setdefault("PREFECT_HOME", folder)
        from deployments.pools import POOLS, worker_words
    place = make_place(Path.home() / ".dualjoe" / "prefect", API)
    document = with_intervals(yaml.safe_load((PROJECT / "prefect.yaml").read_text()), site.times)
    # Without PYTHONPATH: the working folder is the project.
    variables = {
        "DUALJOE_ROOT": str(PROJECT),
        "DUALJOE_SITE": str(site_file.resolve()),
        "DUALJOE_PYTHON": sys.executable,
    }
    return Deployment(
        units=watchdog_units(
            _texts((SERVER, WORKER_TEMPLATE), TEMPLATES / "t440"),
            {pool: worker_words(pool) for pool in POOLS},
            python=sys.executable,
            project=str(PROJECT),
            port=int(API.rpartition(":")[2].partition("/")[0]),
            environment=place,
        ),
        pools={name: pool.worker.type for name, pool in POOLS.items()},
        names=frozenset(
            f"{_flow(one['entrypoint'])}/{one['name']}" for one in document["deployments"]
        ),
        document=yaml.safe_dump(document, sort_keys=False),
        api=API,
        python=sys.executable,
        project=str(PROJECT),
        environment={**read_settings(), **place, **variables},
        code_mtime=newest_code(),
    )


def _flow(entrypoint: str) -> str:
    return entrypoint.rpartition(":")[2].replace("_", "-")


def newest_code(root: Path = PROJECT) -> float:
    """When the newest Python file of the project was written."""
    files = (file for folder in CODE for file in (root / folder).rglob("*.py"))
    return max(file.stat().st_mtime for file in files)


def look_at_prefect(wanted: Deployment | None) -> Prefect:
    """T440's Prefect, as far as it answers."""
    if wanted is None:
        return Prefect()
    try:
        pools = request_json(f"{wanted.api}/work_pools/filter", {})
        flows = {
            flow["id"]: flow["name"] for flow in request_json(f"{wanted.api}/flows/filter", {})
        }
        found = request_json(f"{wanted.api}/deployments/filter", {})
    except OSError:
        return Prefect()
    return Prefect(
        answers=True,
        pools={pool["name"]: pool["type"] for pool in pools},
        deployments=frozenset(f"{flows.get(one['flow_id'])}/{one['name']}" for one in found),
    )
