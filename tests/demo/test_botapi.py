"""The stand-in Bot API: who gets the messages, who gets a 409, and what counts as two pollers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from deployments.demo.botapi import BotApi, overlaps
from deployments.demo.processes import wait_until

from .conftest import SECONDS


def call(bot: BotApi, node: str, method: str, **params: Any) -> dict[str, Any]:
    """POST one method as a node's gateway would; the answer, whatever its status."""
    request = urllib.request.Request(  # noqa: S310 - http only
        f"{bot.url}/bot123:TEST/{method}",
        data=json.dumps(params).encode(),
        headers={"User-Agent": f"openclaw/2026.9.6 ({node})"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - http only
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error))


def logged(bot: BotApi) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bot.log.read_text().splitlines()]


def open_poll(bot: BotApi, node: str, answers: list[dict[str, Any]]) -> threading.Thread:
    """A long poll in a thread, returned when the API has it."""
    before = len(logged(bot))
    poll = threading.Thread(
        target=lambda: answers.append(call(bot, node, "getUpdates", timeout=30))
    )
    poll.start()
    wait_until(lambda: any(e["event"] == "poll" for e in logged(bot)[before:]), SECONDS, "it polls")
    return poll


def test_the_newest_poll_wins_and_the_older_one_gets_a_409(bot: BotApi) -> None:
    answers: list[dict[str, Any]] = []
    poll = open_poll(bot, "pc-a", answers)
    assert call(bot, "pc-b", "getUpdates", timeout=0) == {"ok": True, "result": []}
    poll.join(SECONDS)
    assert answers[0]["error_code"] == 409
    assert answers[0]["description"].startswith("Conflict: terminated by other getUpdates request")


def test_a_message_ends_the_open_poll_and_is_offered_until_it_is_confirmed(bot: BotApi) -> None:
    answers: list[dict[str, Any]] = []
    poll = open_poll(bot, "pc-a", answers)
    number = bot.push("hello")
    poll.join(SECONDS)
    assert answers[0]["result"][0]["message"]["text"] == "hello"
    again = call(bot, "pc-a", "getUpdates", timeout=0, offset=number)["result"]
    assert [update["update_id"] for update in again] == [number]
    assert call(bot, "pc-a", "getUpdates", timeout=0, offset=number + 1)["result"] == []


def test_notifications_are_logged_with_their_text(bot: BotApi) -> None:
    assert call(bot, "t440", "sendMessage", chat_id=7, text="pc-b serves")["ok"]
    sent = [e for e in logged(bot) if e["event"] == "sendMessage"]
    assert [(e["who"], e["text"]) for e in sent] == [("t440", "pc-b serves")]


def test_closing_the_api_ends_open_polls(bot: BotApi) -> None:
    answers: list[dict[str, Any]] = []
    poll = open_poll(bot, "pc-a", answers)
    bot.close()
    poll.join(SECONDS)
    assert answers == [{"ok": True, "result": []}]


@pytest.mark.parametrize(
    ("story", "proofs"),
    [
        pytest.param("A a a a", [], id="one poller is no overlap"),
        pytest.param("A a a B b b", [], id="a clean failover is no overlap"),
        pytest.param("A a B b A a B b", [], id="failover and failback, each a new start"),
        pytest.param("A a B b a", ["pc-a"], id="the old one polls on after the new one"),
        pytest.param("A a B b a b a", ["pc-a", "pc-b", "pc-a"], id="they swap"),
        pytest.param("A a B b b A a b", ["pc-b"], id="the new one polls on after a return"),
    ],
)
def test_two_pollers_are_proven_when(story: str, proofs: list[str]) -> None:
    nodes = {"a": "pc-a", "b": "pc-b"}
    lines = [
        json.dumps({"t": t, "who": nodes[s.lower()], "event": "getMe" if s.isupper() else "poll"})
        for t, s in enumerate(story.split())
    ]
    assert [overlap.who for overlap in overlaps(lines)] == proofs
