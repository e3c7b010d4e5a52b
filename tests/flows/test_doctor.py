"""The doctor on three machines: by its deployment's flow, and as a command."""

from __future__ import annotations

import os
import subprocess
import sys

from deployments.demo.launch import PROJECT
from flows.doctor import doctor
from tests.flows.runs import alerts, last_name, run_state, versions
from tests.site_machines import Ground


def command(place: Ground, *options: str) -> subprocess.CompletedProcess[str]:
    """As a person runs it on T440, with no Prefect to be found."""
    return subprocess.run(
        (sys.executable, "-m", "deployments.doctor", str(place.site_file), *options),
        cwd=PROJECT,
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_says_what_would_fail_once_and_when_it_is_over(serving: Ground) -> None:
    serving.three.nodes["pc-b"].power_cut()
    for _ in range(2):
        assert run_state(doctor, serving.site_file).is_failed()
    assert last_name(doctor).startswith("A failover would not work well now: ")
    shown = versions("joe-doctor")[0]
    assert "FAIL  pc-b could not take over from pc-a now: pc-b is unreachable" in shown
    assert "remedy: switch it on" in shown
    told = [text for _, text in alerts(serving) if text.startswith("A failover would not")]
    assert len(told) == 1
    assert "pc-b is unreachable by ssh" in told[0]


def test_the_command_needs_no_prefect_and_says_that_there_is_none(serving: Ground) -> None:
    done = command(serving)
    assert done.returncode == 2, done.stderr
    assert "OK    pc-a serves, and pc-b could take over now\n" in done.stdout
    assert "FAIL  Prefect's server does not answer" in done.stdout
    assert "WARN  nobody is told" in done.stdout
    assert "\033" not in done.stdout


def test_a_site_file_that_is_missing_is_said(serving: Ground) -> None:
    serving.site_file.unlink()
    done = command(serving)
    assert (done.returncode, done.stdout) == (3, "")
    assert "is missing: copy deployments/site.example.yaml" in done.stderr
