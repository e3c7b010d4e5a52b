"""`python -m deployments.doctor deployments/site.yaml`: would a failover work right now?

One line a check, OK, WARN or FAIL, with the remedy. It needs no Prefect, and says when there is
none. Exit code 0 when all is OK, 1 with a WARN, 2 with a FAIL, 3 when it could not look at all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.settings import API
from tasks.core.doctor import examine
from tasks.core.errors import DualJoeError
from tasks.core.findings import Finding, Verdict, summary, worst
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.doctor import diagnose
from tasks.notify import alert
from tasks.remote.nodes import close_site
from tasks.sites import DEFAULT_SITE, load_site

CODES = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.FAIL: 2}
COLOURS = {Verdict.OK: "32", Verdict.WARN: "33", Verdict.FAIL: "31"}


def main(argv: Sequence[str] | None = None) -> int:
    """Look at all machines, print a line a finding; the exit code is the verdict."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.doctor", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument("site", nargs="?", type=Path, default=DEFAULT_SITE, help="the site file")
    parser.add_argument("--notify", action="store_true", help="send a test message to people")
    options = parser.parse_args(argv)
    try:
        site = load_site(options.site)
        print("asking all three machines, some seconds", file=sys.stderr)
        findings = look(site)
    except DualJoeError as error:
        print(error, file=sys.stderr)
        return 3
    for one in findings:
        print(shown(one, colour=sys.stdout.isatty()))
    print(f"\n{summary(findings)}")
    if options.notify:
        with disable_run_logger():
            alert.fn(site, Level.OK, f"A test message. {summary(findings)}")
        print("a test message was sent to whoever is told of alerts")
    return CODES[worst(findings)]


def look(site: Site) -> list[Finding]:
    """Every finding. Raises DualJoeError when T440's own joe.pyz does not answer."""
    with disable_run_logger(), temporary_settings(set_defaults={PREFECT_API_URL: API}):
        try:
            return examine(diagnose.fn(site))
        finally:
            close_site(site)


def shown(finding: Finding, *, colour: bool) -> str:
    """A line, coloured for a terminal."""
    text = str(finding)
    if not colour:
        return text
    word = finding.verdict.value
    return text.replace(word, f"\033[{COLOURS[finding.verdict]}m{word}\033[0m", 1)


if __name__ == "__main__":
    sys.exit(main())
