"""The flows that prefect.yaml deploys."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow

FILE = Path(__file__).parents[1] / "prefect.yaml"


def flows_by_name() -> dict[str, Flow[..., Any]]:
    """Deployment, as flow/name -> the flow that it runs."""
    found = {}
    for one in yaml.safe_load(FILE.read_text())["deployments"]:
        file, _, name = one["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        found[f"{flow.name}/{one['name']}"] = flow
    return found
