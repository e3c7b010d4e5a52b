"""The text of the systemd user units, from the files in deployments/systemd. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployments.provision.places import DROP_IN, FUSE, GUARD
from tasks.core.errors import ConfigError
from tasks.core.site import Site

SERVER = "prefect-server.service"
WORKER_TEMPLATE = "prefect-worker.service"
_UNSAFE = re.compile(r'[\s"\\%$@]')


def worker_unit(pool: str) -> str:
    """The unit of a pool's worker."""
    return f"prefect-worker-{pool}.service"


def node_units(templates: Mapping[str, str], site: Site) -> dict[str, str]:
    """Fuse, guard and drop-in by their paths below the folder of user units.

    The two times in them are the site's. Raises ConfigError when a template has no such line.
    """
    times = site.times
    watchdog, kill = f"{times.guard_watchdog_seconds:g}", f"{times.kill_budget_seconds:g}"
    return {
        FUSE: _with(templates, FUSE, "WatchdogSec", watchdog),
        GUARD: _with(templates, GUARD, "WatchdogSec", watchdog),
        DROP_IN: _with(templates, DROP_IN, "TimeoutStopSec", kill),
    }


def _with(templates: Mapping[str, str], name: str, setting: str, value: str) -> str:
    text, found = re.subn(rf"(?m)^{setting}=.*$", f"{setting}={value}", templates[name])
    if found != 1:
        raise ConfigError(f"deployments/systemd/{name}: {setting}= is there {found} times, not 1")
    return text


def watchdog_units(
    templates: Mapping[str, str],
    workers: Mapping[str, str],
    *,
    python: str,
    project: str,
    port: int,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Prefect's server and the worker of each pool by name; `workers`: pool -> words.

    Raises ConfigError for a path that a unit file would read as something else.
    """
    for value in (python, project, *environment.values()):
        if _UNSAFE.search(value):
            raise ConfigError(f"{value!r}: a unit cannot carry spaces, quotes, %, $, @ or \\")
    common = {
        "PYTHON": python,
        "PROJECT": project,
        "PORT": str(port),
        "TMPDIR": environment["TMPDIR"],
        "ENVIRONMENT": "\n".join(f'Environment="{n}={v}"' for n, v in environment.items()),
    }
    units = {SERVER: _filled(templates[SERVER], common)}
    for pool, words in workers.items():
        text = _filled(templates[WORKER_TEMPLATE], {**common, "POOL": pool, "WORDS": words})
        units[worker_unit(pool)] = text
    return units


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Raises KeyError for a name in the template that has no value."""
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], template)
