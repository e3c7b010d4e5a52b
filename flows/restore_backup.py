"""By hand: bring a source's backup back into a folder of the node that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from tasks.backup import restore_source
from tasks.core.errors import Refused
from tasks.core.situation import Level
from tasks.core.tiers import in_words
from tasks.notify import alert
from tasks.runs import rename_run
from tasks.sites import DEFAULT_SITE, load_site


@flow(name="restore-backup", flow_run_name="Restore {source}")
def restore_backup(
    source: str,
    target: str,
    tier: Literal["primary", "dr"] = "primary",
    snapshot: str = "",
    only: str = "",
    force: bool = False,
    dry_run: bool = True,
    site_file: Path = DEFAULT_SITE,
) -> str:
    """Bring a backup back; without dry_run=False it only says what would come.

    Everything is read back and compared with the hashes that were taken on T440.

    Args:
        source: a container by its name in the site file, or T440 itself by its own.
        target: an absolute path on the node of that tier, of an empty folder or one to be made.
        tier: whose copy to take.
        snapshot: the id; empty for the newest that was verified.
        only: a file or folder of it; empty for all.
        force: replace files of the same name in a folder that is not empty.
        dry_run: copy nothing.
        site_file: the site file on T440.
    """
    site = load_site(site_file)
    if source not in site.sources:
        raise Refused(f"there is no source {source}, only {', '.join(site.sources)}")
    name = site.preferred if tier == "primary" else site.other(site.preferred)
    order: dict[str, Any] = {"target": target, "only": only, "force": force, "dry_run": dry_run}
    if snapshot:
        order["snapshot"] = snapshot
    told = restore_source(site, source, name, order)
    done = "Would restore" if dry_run else "Restored"
    wrong = f"; {len(told['wrong'])} ARE NOT AS BACKED UP" if told["wrong"] else ""
    size = in_words(told["bytes"])
    text = f"{done} {told['files']} files, {size}, of {told['id']} to {target} on {name}{wrong}"
    rename_run(text)
    lines = [f"- not as backed up: `{path}`" for path in told["wrong"]]
    lines += [f"- `{path}`" for path in told["paths"]]
    markdown = f"# {text}\n\n" + "\n".join(lines) + "\n"
    create_markdown_artifact(key=f"{site.site}-restore", markdown=markdown, description=text)
    if not dry_run:
        alert(site, Level.WARN if told["wrong"] else Level.OK, text)
    if told["wrong"]:
        raise Refused(f"{text}: take another snapshot, or the other tier")
    return text
