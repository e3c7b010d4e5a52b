"""T440's voter asks Prefect for a check: the request, the answers, and what is remembered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.processes import wait_until
from deployments.node.clock import boottime
from deployments.node.config import NodeConfig, Trigger, parse_config
from deployments.node.messages import Heard, State
from deployments.node.trigger import (
    TRY_SECONDS,
    request_run,
    start_check,
    told_file,
    wants_check,
)

from .term_cases import A1, NOW
from .test_trigger import OTHER, state

SECONDS = 10.0
KEY = "k1"


class Prefect:
    """A server with the two pages that the voter asks, and the faults that it may meet."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.words: list[str | None] = []
        self.answers: list[int] = []  # of the next requests, instead of 200
        self.holds = threading.Event()
        self.holds.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.words.append(self.headers.get("Authorization"))
                outer.holds.wait(SECONDS)
                self.reply({"id": "d1"} if self.path.endswith("/name/health-check/joe") else {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/api/deployments/d1/create_flow_run"
                outer.runs.append(json.loads(body))
                self.reply({"id": "r1"})

            def reply(self, value: dict[str, str]) -> None:
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.trigger = Trigger(
            f"http://127.0.0.1:{self.server.server_address[1]}/api", "health-check/joe"
        )
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.holds.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    server = Prefect()
    yield server
    server.close()


@pytest.fixture
def t440(tmp_path: Path, prefect: Prefect) -> NodeConfig:
    nodes = ("pc-a", "pc-b")
    return NodeConfig(
        "t440", tmp_path, tmp_path / "state", tmp_path / "run", nodes, trigger=prefect.trigger
    )


def test_it_asks_for_one_run_of_the_deployment(prefect: Prefect, tmp_path: Path) -> None:
    assert request_run(prefect.trigger, KEY) == "r1"
    assert [run["state"] for run in prefect.runs] == [{"type": "SCHEDULED"}]
    assert prefect.words == [None]
    word = tmp_path / "auth"
    word.write_text("joe:secret\n")
    request_run(replace(prefect.trigger, auth_file=word), KEY)
    assert prefect.words[1] == "Basic am9lOnNlY3JldA=="


def test_the_worker_is_woken_once_there_is_a_run_for_it(prefect: Prefect, tmp_path: Path) -> None:
    wake = tmp_path / "worker-watch.wake"
    trigger = replace(prefect.trigger, wake=wake)
    prefect.answers = [200, 503]
    with pytest.raises(ValueError, match="answers 503"):
        request_run(trigger, KEY)
    assert not wake.exists()
    request_run(trigger, KEY)
    assert wake.exists()


def test_an_answer_that_is_no_success_is_an_error(prefect: Prefect) -> None:
    prefect.answers = [401]
    with pytest.raises(ValueError, match="answers 401"):
        request_run(prefect.trigger, KEY)
    prefect.answers = [200, 503]
    with pytest.raises(ValueError, match="answers 503"):
        request_run(prefect.trigger, KEY)


def test_a_prefect_that_is_away_or_hangs_holds_up_no_answer(
    prefect: Prefect, t440: NodeConfig
) -> None:
    prefect.holds.clear()
    begun = time.monotonic()
    hanging = start_check(t440)
    away = replace(t440, trigger=Trigger("http://127.0.0.1:9/api", "health-check/joe"))
    gone = start_check(away)
    assert time.monotonic() - begun < 1.0
    assert hanging is not None and gone is not None
    gone.join(TRY_SECONDS + SECONDS)
    assert not gone.is_alive()
    prefect.holds.set()
    wait_until(lambda: len(prefect.runs) == 1, SECONDS, "the run is asked for after all")


def test_a_prefect_whose_database_is_busy_is_asked_again_for_the_same_run(
    prefect: Prefect, t440: NodeConfig
) -> None:
    """Seen in the lab: one 503 put a takeover off until the schedule's check."""
    prefect.answers = [200, 503, 503, 200, 503]
    thread = start_check(t440)
    assert thread is not None
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert prefect.answers == []
    assert len(prefect.runs) == 3
    assert len({run["idempotency_key"] for run in prefect.runs}) == 1


def test_what_was_started_is_remembered_by_the_next_connection_of_this_boot(
    t440: NodeConfig,
) -> None:
    now = boottime()
    silent = State(A1, heard={"pc-a": Heard(now - 60, now - 60, A1, None)})
    assert wants_check(t440, OTHER, silent, now)
    assert not wants_check(t440, OTHER, silent, now + 30)
    told_file(t440).write_text('{"boot_id": "another", "epochs": {"pc-b": 1}, "at": 0}')
    assert wants_check(t440, OTHER, silent, now + 31)
    told_file(t440).write_text("torn")
    assert wants_check(t440, OTHER, silent, now + 32)
    assert not wants_check(t440, OTHER._replace(heard_s=0.0), silent, now + 33)
    assert not told_file(t440).exists()


def test_a_node_starts_no_check(t440: NodeConfig) -> None:
    assert not wants_check(replace(t440, trigger=None), OTHER, state(served_ago=60.0), NOW)


def test_node_json_says_where_to_ask(tmp_path: Path) -> None:
    own = {"name": "t440", "home": str(tmp_path), "state": "s", "run": "r"}
    raw = {
        **own,
        "trigger": {
            "api": "http://127.0.0.1:4200/api/",
            "deployment": "health-check/joe",
            "wake": "/w",
        },
    }
    wanted = Trigger("http://127.0.0.1:4200/api", "health-check/joe", wake=Path("/w"))
    assert parse_config(raw, "node.json").trigger == wanted
    assert parse_config(own, "node.json").trigger is None
