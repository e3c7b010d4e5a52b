"""A site, and what this project would put on its machines."""

from __future__ import annotations

import hashlib

from deployments.provision.plan import Wanted
from deployments.provision.steps import Program
from deployments.provision.units import node_units, watchdog_units
from deployments.provision.wanted import TEMPLATES
from deployments.provision.watchdog_units import Deployment
from tasks.core.site import Site, parse_site

SITE_TEXT = """\
site: joe
preferred: pc-a
watchdog:
  state: /home/w/.dualjoe
  key: /home/w/.dualjoe/keys/control
  known_hosts: /home/w/.dualjoe/known_hosts
  joe: /home/w/.dualjoe/joe.pyz
  node_file: /home/w/.dualjoe/node.json
  address: 192.0.2.10
nodes:
  pc-a: {address: 192.0.2.21, user: openclaw01}
  pc-b: {address: 192.0.2.22, user: openclaw02, port: 2222}
containers: [oc-core]
"""
SITE = parse_site(SITE_TEXT, "site.yaml")


def make_wanted(joe: str = "program", site: Site = SITE) -> Wanted:
    """What the project puts there, with the real unit files."""
    templates = {
        str(f.relative_to(TEMPLATES)): f.read_text() for f in TEMPLATES.rglob("*.*") if f.is_file()
    }
    of_t440 = {name.removeprefix("t440/"): text for name, text in templates.items()}
    place = {"TMPDIR": "/home/w/.dualjoe/prefect/tmp", "PREFECT_HOME": "/home/w/.dualjoe/prefect"}
    units = watchdog_units(
        of_t440,
        {"watch": "deployments.worker --pool watch", "data": "deployments.worker --pool data"},
        python="/home/w/joe/.venv/bin/python",
        project="/home/w/joe",
        port=4200,
        environment=place,
    )
    deployment = Deployment(
        units=units,
        pools={"watch": "in-process", "data": "process"},
        names=frozenset({"health-check/joe", "memory-sync/joe"}),
        document="deployments: []\n",
        api="http://127.0.0.1:4200/api",
        python="/home/w/joe/.venv/bin/python",
        project="/home/w/joe",
        environment=place,
        code_mtime=0.0,
    )
    program = Program(joe, hashlib.sha256(joe.encode()).hexdigest())
    return Wanted(program, node_units(templates, site), deployment)
