"""The stand-in's gateway process: its answers, its stops, its faults and its memory."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.botapi import BotApi, overlaps
from deployments.demo.ledger import account, read_ledger
from deployments.demo.openclaw.install import AGENTS, FRESH_WORKSPACE
from deployments.demo.processes import wait_until
from deployments.demo.sshd import port_is_open

from .conftest import SECONDS
from .standin import StandIn

LIVE = '{"ok":true,"status":"live"}'


@pytest.fixture
def openclaw(tmp_path: Path) -> Iterator[StandIn]:
    (tmp_path / "ledger").mkdir()
    stand_in = StandIn(tmp_path / "home", node="pc-a", ledger=str(tmp_path / "ledger"))
    yield stand_in
    stand_in.close()


def test_the_endpoints_answer_as_captured(openclaw: StandIn) -> None:
    openclaw.serve()
    assert openclaw.get("/healthz") == openclaw.get("/health") == (200, LIVE)
    started = json.loads(openclaw.get("/startupz")[1])
    assert (started["ok"], started["status"]) == (True, "started")
    ready = json.loads(openclaw.get("/readyz")[1])
    assert (ready["ready"], ready["failing"]) == (True, [])
    assert openclaw.get("/healthz", method="HEAD") == (200, "")
    assert openclaw.get("/healthz", method="POST")[0] == 405


def test_a_starting_gateway_refuses_then_lives_and_then_is_ready(openclaw: StandIn) -> None:
    openclaw.fault("slow-start", "2")
    openclaw.launch()
    assert openclaw.get("/healthz") == (0, "refused")
    wait_until(lambda: openclaw.get("/healthz")[0] == 200, SECONDS, "it lives")
    status, body = openclaw.get("/readyz")
    assert status == 503 and json.loads(body)["failing"] == ["startup-sidecars"]
    openclaw.wait_until_ready()


def test_a_channel_that_is_down_makes_it_not_ready_but_it_lives(openclaw: StandIn) -> None:
    openclaw.serve()
    openclaw.fault("channel-down")
    status, body = openclaw.get("/readyz")
    assert (status, json.loads(body)["failing"]) == (503, ["telegram"])
    assert openclaw.get("/healthz") == (200, LIVE)


def test_an_idle_gateway_stops_at_once(openclaw: StandIn) -> None:
    gateway = openclaw.serve()
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(timeout=2) == 0
    assert not port_is_open(openclaw.port)


def test_a_gateway_with_a_run_active_drains_until_the_run_ends(openclaw: StandIn) -> None:
    gateway = openclaw.serve()
    run = openclaw.fault("run")
    gateway.send_signal(signal.SIGTERM)

    def status() -> str:
        return str(json.loads(openclaw.get("/startupz")[1])["status"])

    wait_until(lambda: status() == "draining", SECONDS, "it drains")
    assert openclaw.get("/healthz") == (200, LIVE) and gateway.poll() is None
    run.unlink()
    assert gateway.wait(timeout=SECONDS) == 0


def test_a_drain_ends_when_its_budget_is_spent(tmp_path: Path) -> None:
    openclaw = StandIn(tmp_path / "home", drain_seconds=0.3)
    try:
        gateway = openclaw.serve()
        openclaw.fault("run")
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(timeout=SECONDS) == 0
    finally:
        openclaw.close()


def test_a_hung_gateway_holds_its_port_answers_nothing_and_takes_no_sigterm(
    openclaw: StandIn,
) -> None:
    gateway = openclaw.serve()
    hang = openclaw.fault("hang")

    def hangs() -> bool:
        return openclaw.get("/healthz", seconds=0.3) == (0, "timeout")

    wait_until(hangs, SECONDS, "it hangs")
    gateway.send_signal(signal.SIGTERM)
    assert hangs() and gateway.poll() is None and port_is_open(openclaw.port)
    hang.unlink()
    assert gateway.wait(timeout=SECONDS) == 0


def test_a_gateway_can_ignore_sigterm(openclaw: StandIn) -> None:
    gateway = openclaw.serve()
    openclaw.fault("ignore-term")
    gateway.send_signal(signal.SIGTERM)
    wait_until(lambda: "SIGTERM received, ignored" in openclaw.log(), SECONDS, "it got it")
    assert openclaw.get("/healthz") == (200, LIVE) and gateway.poll() is None


def test_a_gateway_can_crash_at_its_start(openclaw: StandIn) -> None:
    openclaw.fault("crash-at-start")
    assert openclaw.launch().wait(timeout=SECONDS) == 1
    assert not port_is_open(openclaw.port)


def test_a_gateway_can_answer_with_a_body_that_is_not_its_own(openclaw: StandIn) -> None:
    openclaw.serve()
    openclaw.fault("foreign-body")
    status, body = openclaw.get("/healthz")
    assert status == 200 and body != LIVE


def test_the_start_sequence_at_telegram_is_the_real_one(tmp_path: Path, bot: BotApi) -> None:
    openclaw = StandIn(tmp_path / "home", telegram_url=bot.url, node="pc-a")

    def events() -> list[tuple[str, int | None]]:
        lines = map(json.loads, bot.log.read_text().splitlines())
        return [(e["event"], e.get("timeout")) for e in lines if e["who"] == "pc-a"]

    try:
        openclaw.serve()
        wait_until(lambda: ("poll", 30) in events(), SECONDS, "it polls")
        order = [event for event in events() if event[0] != "answered"]
        greeting = [("getMe", None), ("deleteWebhook", None), ("setMyCommands", None)]
        assert order == [*greeting, ("poll", 0), ("poll", 30)]
        bot.push("are you there?")
        told = openclaw.workspace() / "memory"
        wait_until(
            lambda: any("are you there?" in f.read_text() for f in told.glob("2*.md")),
            SECONDS,
            "the message is in the notes",
        )
    finally:
        openclaw.close()


def test_two_gateways_on_one_token_swap_and_health_shows_it(tmp_path: Path, bot: BotApi) -> None:
    both = [
        StandIn(tmp_path / node, telegram_url=bot.url, node=node, conflict_pause_seconds=0.3)
        for node in ("pc-a", "pc-b")
    ]

    def recovers(openclaw: StandIn) -> bool:
        channel = openclaw.run_json("health")["channels"]["telegram"]
        return (
            channel["lifecycle"] == "recovering" and "getUpdates conflict" in channel["lastError"]
        )

    try:
        for openclaw in both:
            openclaw.serve()
        wait_until(lambda: any(map(recovers, both)), SECONDS, "one shows the conflict")
        wait_until(
            lambda: len(overlaps(bot.log.read_text().splitlines())) > 1, SECONDS, "they swap"
        )
        assert [openclaw.get("/healthz")[0] for openclaw in both] == [200, 200]
    finally:
        for openclaw in both:
            openclaw.close()


def write_quickly(openclaw: StandIn) -> None:
    file = openclaw.state / "stand-in.json"
    quick = {"write_seconds": 0.002, "start_seconds": 0.05}
    file.write_text(json.dumps({**json.loads(file.read_text()), **quick}))


def unlogged(openclaw: StandIn, ledger: Path) -> set[str]:
    """Live memory files that neither the ledger nor the fresh workspace knows."""
    known = {version.sha256 for version in read_ledger(ledger)}
    known |= {hashlib.sha256(text.encode()).hexdigest() for text in FRESH_WORKSPACE.values()}
    files = [f for agent in AGENTS for f in openclaw.workspace(agent).rglob("[!.]*.*")]
    return {str(f) for f in files if hashlib.sha256(f.read_bytes()).hexdigest() not in known}


def test_the_agents_write_every_kind_of_note(openclaw: StandIn, tmp_path: Path) -> None:
    write_quickly(openclaw)
    openclaw.serve()
    kinds = {"MEMORY.md", "memory/people.json", "memory/places.yaml", "memory/topic-tea.md"}
    wait_until(
        lambda: kinds <= {version.path for version in read_ledger(tmp_path / "ledger")},
        SECONDS,
        "every kind is written",
    )
    assert {version.agent for version in read_ledger(tmp_path / "ledger")} == set(AGENTS)


def test_no_kill_leaves_a_version_that_is_not_in_the_ledger(
    openclaw: StandIn, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    write_quickly(openclaw)
    for _ in range(5):
        written = len(read_ledger(ledger))
        gateway = openclaw.launch()
        wait_until(lambda n=written: len(read_ledger(ledger)) > n + 10, SECONDS, "it writes")  # type: ignore[misc]
        gateway.kill()
        gateway.wait()
        assert unlogged(openclaw, ledger) == set()
    found = account(ledger, {agent: openclaw.workspace(agent) for agent in AGENTS}, [])
    assert found.lost == [] and found.unfinished <= 5 and found.live >= 2
