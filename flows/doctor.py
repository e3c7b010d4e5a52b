"""Would a failover work right now? Daily, and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.core.doctor import examine
from tasks.core.findings import Verdict, summary, worst
from tasks.core.situation import Level
from tasks.doctor import diagnose
from tasks.notify import alert
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site
from tasks.told import news


@flow(name="doctor")
def doctor(notify: bool = False, site_file: Path = DEFAULT_SITE) -> State[Any]:
    """Ask all machines whether a failover would work right now; a line a check, with its remedy.

    Args:
        notify: send a test message to whoever is told of alerts.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    findings = examine(diagnose(site))
    verdict, text = worst(findings), summary(findings)
    rename_run(text)
    lines = "\n".join(str(one) for one in findings)
    markdown = f"# {text}\n\n```\n{lines}\n```\n"
    create_markdown_artifact(key=f"{site.site}-doctor", markdown=markdown, description=text)
    wrong = [one.what for one in findings if one.verdict is Verdict.FAIL]
    new, is_over = news(site, "doctor", wrong)
    if new:
        alert(site, Level.WARN, f"A failover would not work well: {'; '.join(new[:5])}")
    elif is_over:
        alert(site, Level.OK, "The doctor finds nothing any more that a failover would fail by")
    if notify:
        alert(site, Level.OK, f"A test message. {text}")
    return Failed(message=text) if verdict is Verdict.FAIL else Completed(message=text)
