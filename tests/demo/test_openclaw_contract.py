"""The stand-in's outputs and exit codes are those captured from OpenClaw 2026.9.6."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .standin import StandIn

PROBE_FAILED = "Connectivity probe: failed"


@pytest.fixture
def openclaw(tmp_path: Path) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path / "home")
    yield stand_in
    stand_in.close()


def set_up(openclaw: StandIn, state: str) -> None:
    """Bring the stand-in into one of the captured states."""
    if state in ("up", "hung"):
        gateway = openclaw.serve()
        if state == "hung":
            gateway.send_signal(signal.SIGSTOP)
    elif state == "starting":
        openclaw.fault("slow-start", "600")
        openclaw.launch()
        wait_for_line(openclaw, "starting on")
    elif state == "failed":
        (openclaw.state / "openclaw.json").write_text('{"gateway": {\n')
        assert openclaw.launch().wait(timeout=10) == 78
    elif state == "not installed":
        (openclaw.home / ".config/systemd/user/openclaw-gateway.service").unlink()


def wait_for_line(openclaw: StandIn, text: str) -> None:
    from deployments.demo.processes import wait_until

    wait_until(lambda: text in openclaw.log(), 10, f"the log says {text!r}")


@pytest.mark.parametrize(
    ("state", "runtime", "out", "errors"),
    [
        pytest.param(
            "up",
            r"running \(pid \d+, state active, sub running, last exit 0, reason 0\)",
            ["Connectivity probe: ok", "Capability: connected-no-operator-scope", "Listening: "],
            [],
            id="up is the only state with a probe that is ok on standard output",
        ),
        pytest.param(
            "starting",
            r"running \(pid \d+, state active, sub running, last exit 0, reason 0\)",
            ["Capability: unknown"],
            [PROBE_FAILED, "connect ECONNREFUSED 127.0.0.1:"],
            id="starting shows as running, and its probe failed",
        ),
        pytest.param(
            "hung",
            r"running \(pid \d+, state active, sub running, last exit 0, reason 0\)",
            ["Gateway process is running and owns the gateway port", "Listening: "],
            ["Connectivity probe: timed out before reaching Gateway", "is already in use."],
            id="hung shows as running, and its probe timed out",
        ),
        pytest.param(
            "stopped",
            r"stopped \(state inactive, sub dead, last exit 0, reason 1\)",
            ["Capability: unknown"],
            [PROBE_FAILED, "Service is loaded but not running (likely exited immediately)."],
            id="stopped says not running on standard error",
        ),
        pytest.param(
            "failed",
            r"stopped \(state failed, sub failed, last exit 78, reason 1\)",
            ["Config (cli): ~/.openclaw/openclaw.json (invalid)"],
            ["Config issue: <root>: JSON5 parse failed: SyntaxError: JSON5: ", PROBE_FAILED],
            id="a bad configuration shows as failed with exit code 78",
        ),
        pytest.param(
            "not installed",
            "stopped",
            ["Service: systemd (disabled)"],
            [PROBE_FAILED, "Service unit not found.", "Run: openclaw gateway install"],
            id="not installed says so on standard error",
        ),
    ],
)
def test_status_says(
    openclaw: StandIn, state: str, runtime: str, out: list[str], errors: list[str]
) -> None:
    set_up(openclaw, state)
    shown = openclaw.run("gateway", "status", "--timeout", "500")
    assert shown.returncode == 0
    assert re.search(rf"^Runtime: {runtime}$", shown.stdout, re.MULTILINE), shown.stdout
    assert [text for text in out if text not in shown.stdout] == []
    assert [text for text in errors if text not in shown.stderr] == []
    assert (shown.stderr == "") is (state == "up")
    assert ("Connectivity probe: ok" in shown.stdout) is (state == "up")


@pytest.mark.parametrize(
    ("state", "runtime", "rpc_ok", "healthy"),
    [
        ("up", "running", True, None),
        ("starting", "running", False, None),
        ("hung", "running", False, True),
        ("stopped", "stopped", False, False),
        ("failed", "stopped", False, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_status_as_json(
    openclaw: StandIn, state: str, runtime: str, rpc_ok: bool, healthy: bool | None
) -> None:
    set_up(openclaw, state)
    document = openclaw.run_json("gateway", "status", "--timeout", "500")
    assert document["service"]["runtime"]["status"] == runtime
    assert document["rpc"]["ok"] is rpc_ok
    assert document["rpc"].get("timedOut", False) is (state == "hung")
    assert document.get("health", {}).get("healthy") is healthy
    assert document["port"]["status"] == ("busy" if state in ("up", "hung") else "free")


@pytest.mark.parametrize(
    ("state", "code"), [("up", 0), ("stopped", 1), ("hung", 1)], ids=["up", "stopped", "hung"]
)
def test_require_rpc_is_the_only_status_whose_exit_code_means_something(
    openclaw: StandIn, state: str, code: int
) -> None:
    set_up(openclaw, state)
    shown = openclaw.run("gateway", "status", "--require-rpc", "--timeout", "500")
    assert shown.returncode == code


def test_require_rpc_without_a_configuration_fails_for_its_credentials(openclaw: StandIn) -> None:
    (openclaw.state / "openclaw.json").unlink()
    shown = openclaw.run("gateway", "status", "--require-rpc")
    assert shown.returncode == 1 and "requires credentials" in shown.stderr


def test_no_probe_prints_no_probe_line(openclaw: StandIn) -> None:
    openclaw.serve()
    shown = openclaw.run("gateway", "status", "--no-probe")
    assert shown.returncode == 0 and "Connectivity probe" not in shown.stdout + shown.stderr
    assert f"Port {openclaw.port} is already in use." in shown.stderr


def test_without_a_service_manager_the_runtime_is_unknown_and_the_probe_decides(
    tmp_path: Path,
) -> None:
    openclaw = StandIn(tmp_path / "home", service="none")
    try:
        down = openclaw.run("gateway", "status")
        openclaw.serve()
        up = openclaw.run("gateway", "status")
        refused = openclaw.run("gateway", "start")
    finally:
        openclaw.close()
    for shown in (down, up):
        assert "Runtime: unknown (diagnostic only, not the probe target)" in shown.stdout
        assert "No supported service manager detected." in shown.stderr
    assert "Connectivity probe: ok" in up.stdout and PROBE_FAILED in down.stderr
    assert refused.returncode == 1 and "service management skipped" in refused.stderr


def test_health_is_ok_only_while_the_gateway_answers(openclaw: StandIn) -> None:
    quick = ("health", "--json", "--timeout", "300")
    assert openclaw.run(*quick).returncode == 1
    gateway = openclaw.serve()
    assert openclaw.run(*quick).returncode == 0
    gateway.send_signal(signal.SIGSTOP)
    hung = openclaw.run(*quick)
    assert hung.returncode == 1 and "not reachable after waiting 0.3 s" in hung.stdout


def test_stop_without_a_terminal_refuses_and_the_gateway_keeps_running(openclaw: StandIn) -> None:
    gateway = openclaw.serve()
    refused = openclaw.run("gateway", "stop")
    assert refused.returncode == 1 and refused.stdout == ""
    assert "re-run with --force if you really mean it." in refused.stderr
    assert gateway.poll() is None and openclaw.get("/healthz")[0] == 200


def test_stop_by_force_stops_and_can_be_repeated(openclaw: StandIn) -> None:
    gateway = openclaw.serve()
    for _ in range(2):
        stopped = openclaw.run("gateway", "stop", "--force")
        assert stopped.returncode == 0 and stopped.stderr == ""
        assert stopped.stdout == "Stopped systemd service: openclaw-gateway.service\n"
    assert gateway.wait(timeout=10) == 0


def test_start_waits_until_ready_and_names_a_gateway_that_runs_already(openclaw: StandIn) -> None:
    assert openclaw.run("gateway", "start").returncode == 0
    assert openclaw.get("/readyz")[0] == 200
    again = openclaw.run("gateway", "start")
    assert again.returncode == 0
    assert re.fullmatch(r"Gateway service already running \(pid \d+\)\.\n", again.stdout)


def test_start_without_a_unit_fails_and_stop_by_force_leaves_a_foreground_gateway(
    openclaw: StandIn,
) -> None:
    gateway = openclaw.serve()
    set_up(openclaw, "not installed")
    started = openclaw.run("gateway", "start")
    assert started.returncode == 1 and started.stderr == "Gateway service disabled.\n"
    assert "Tip: openclaw gateway install" in started.stdout
    stopped = openclaw.run("gateway", "stop", "--force")
    assert stopped.returncode == 0 and stopped.stdout == "Gateway service disabled.\n"
    assert gateway.poll() is None


@pytest.mark.parametrize("content", [None, "{", "[1]"], ids=["missing", "torn", "no object"])
def test_a_gateway_without_a_usable_configuration_ends_with_78(
    openclaw: StandIn, content: str | None
) -> None:
    file = openclaw.state / "openclaw.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    ended = openclaw.run("gateway", "run")
    assert ended.returncode == 78 and ended.stderr


def test_a_configuration_with_comments_and_trailing_commas_is_read(openclaw: StandIn) -> None:
    file = openclaw.state / "openclaw.json"
    file.write_text("// by hand\n" + file.read_text().rstrip()[:-1] + ",\n}\n")
    openclaw.serve()


def test_a_second_gateway_on_the_same_state_ends_with_78_and_the_first_goes_on(
    openclaw: StandIn,
) -> None:
    first = openclaw.serve()
    second = openclaw.run("gateway", "run", "--port", str(openclaw.port + 1))
    assert second.returncode == 78 and "another OpenClaw process owns" in second.stderr
    assert first.poll() is None and openclaw.get("/healthz")[0] == 200


def test_version_is_the_one_whose_contract_this_is(openclaw: StandIn) -> None:
    assert openclaw.run("--version").stdout == "2026.9.6\n"
