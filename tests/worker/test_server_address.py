"""Prefect's API is for T440 itself, or behind a password."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from deployments.server import HOST, PROTECTED_BY, refusal
from tests.worker.place import PROJECT


@pytest.mark.parametrize(
    ("words", "environment", "starts"),
    [
        pytest.param((), {}, True, id="by itself it is on loopback"),
        pytest.param(("--host", "127.0.0.1", "--port", "4200"), {}, True, id="loopback by name"),
        pytest.param(("--host=127.0.0.2",), {}, True, id="another address of loopback"),
        pytest.param(("--host", "::1"), {}, True, id="loopback of IPv6"),
        pytest.param(("--host", "localhost"), {}, True, id="localhost"),
        pytest.param(("--host", "0.0.0.0"), {}, False, id="every address"),  # noqa: S104
        pytest.param(("--host=::",), {}, False, id="every address of IPv6"),
        pytest.param(("--host", "192.168.1.10"), {}, False, id="the house's network"),
        pytest.param((), {HOST: "192.168.1.10"}, False, id="by the environment"),
        pytest.param(
            ("--host", "192.168.1.10"), {PROTECTED_BY: "joe:secret"}, True, id="behind a password"
        ),
        pytest.param(("--host", "192.168.1.10"), {PROTECTED_BY: ""}, False, id="an empty password"),
    ],
)
def test_row(words: tuple[str, ...], environment: dict[str, str], starts: bool) -> None:
    assert (refusal(words, environment) == "") is starts


def test_the_command_says_why_and_what_to_do_and_starts_nothing() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "deployments.server", "--host", "0.0.0.0"),  # noqa: S104
        env={name: value for name, value in os.environ.items() if name != PROTECTED_BY},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "would let anybody there move Joe" in done.stderr
    assert "ssh -L 4200:127.0.0.1:4200" in done.stderr
