"""Prefect's settings: one file, whose every line Prefect, systemd and a shell understand alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from prefect.settings import get_current_settings

from deployments.settings import FILE, read_settings

START_OF_A_PROCESS_SECONDS = 5.0


def test_prefect_knows_every_setting_and_takes_its_value() -> None:
    """It ignores a misspelled name without a word. This process runs on the file's settings."""
    known = get_current_settings().to_environment_variables(exclude_unset=True)
    ours = [name for name in read_settings() if name.startswith("PREFECT_")]
    assert set(ours) <= set(known)
    vacuum = get_current_settings().server.services.db_vacuum
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert vacuum.retention_period.total_seconds() == 7 * 86400
    assert get_current_settings().server.events.retention_period.total_seconds() == 3 * 3600


def test_a_worker_sees_a_run_before_it_is_due() -> None:
    worker = get_current_settings().worker
    assert worker.prefetch_seconds >= 1.3 * worker.query_seconds + START_OF_A_PROCESS_SECONDS


def test_a_shell_reads_the_file_as_we_do() -> None:
    shell = ("env", "-i", "bash", "-c", f"set -a; . {FILE}; env")
    lines = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()
    told = dict(line.split("=", 1) for line in lines)
    assert read_settings().items() <= told.items()


@pytest.mark.parametrize("line", ["PREFECT_HOME", "export A=1", "=1", " A=1"])
def test_a_line_that_is_no_setting_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "prefect.env"
    file.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(ValueError, match=r"prefect\.env:3: not NAME=value"):
        read_settings(file)
