"""People are told once, by a stand-in Telegram, also of what happened while it was away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from apprise.plugins.telegram import NotifyTelegram
from prefect import flow
from prefect.blocks.system import Secret
from pydantic import SecretStr

from deployments.demo.botapi import BotApi
from tasks.core.site import Site
from tasks.core.situation import Level
from tasks.notify import ADDRESSES, alert, as_mail, send_missed
from tasks.outbox import MOST, Message, is_empty, outbox_file, put, send_all
from tests.core.sites import site as make_site

TOKEN = "123456:TEST-of-a-bot"  # noqa: S105 - of the stand-in Bot API
ADDRESS = f"tgram://{TOKEN}/7"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site()
    return made.model_copy(
        update={"watchdog": made.watchdog.model_copy(update={"state": tmp_path / "state"})}
    )


@pytest.fixture
def telegram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BotApi]:
    with BotApi(tmp_path / "bot.jsonl") as api:
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"{api.url}/bot")
        monkeypatch.setenv(ADDRESSES, ADDRESS)
        yield api


def received(api: BotApi) -> list[str]:
    """The texts that reached the chat."""
    lines = [json.loads(line) for line in api.log.read_text().splitlines()]
    return [line["text"] for line in lines if line["event"] == "sendMessage"]


@flow(name="tells")
def tell(site: Site, level: Level, text: str) -> None:
    alert(site, level, text)


@flow(name="tells-what-was-missed")
def tell_missed(site: Site) -> None:
    send_missed(site)


def test_an_alert_says_what_was_seen_what_it_means_and_the_command_to_act(
    prefect: None, site: Site, telegram: BotApi
) -> None:
    tell(site, Level.CRITICAL, "Nobody serves: pc-a is gone")
    (text,) = received(telegram)
    assert "Joe (joe): critical" in text
    assert "Nobody serves: pc-a is gone" in text
    assert "prefect deployment run force-failover/joe" in text
    assert is_empty(site)


def test_what_a_notifier_missed_is_sent_once_when_it_is_back_in_order(
    prefect: None, site: Site, telegram: BotApi, tmp_path: Path
) -> None:
    telegram.close()
    tell(site, Level.CRITICAL, "first")
    tell(site, Level.OK, "second")
    assert not is_empty(site)
    with BotApi(tmp_path / "again.jsonl", telegram.port) as back:
        tell_missed(site)
        tell_missed(site)
        texts = received(back)
    assert [("first" in text, "second" in text) for text in texts] == [(True, False), (False, True)]
    assert is_empty(site)


def test_without_an_address_nothing_is_kept(
    prefect: None, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESSES, "")
    tell(site, Level.WARN, "nobody reads this")
    assert is_empty(site)


def test_the_addresses_may_be_a_secret_of_prefect(
    prefect: None, site: Site, telegram: BotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESSES)
    tell(site, Level.WARN, "there is no such secret yet")
    assert received(telegram) == []
    Secret(value=SecretStr(ADDRESS)).save("joe-notify", overwrite=True)
    try:
        tell(site, Level.WARN, "now there is")
    finally:
        Secret.delete("joe-notify")
    assert len(received(telegram)) == 1


def test_an_address_is_in_no_log(
    prefect: None, site: Site, telegram: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.close()
    caplog.set_level("DEBUG")
    tell(site, Level.CRITICAL, "nobody serves")
    assert "1 wait for the notifier" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in outbox_file(site).read_text()


def test_a_late_message_says_when_it_was_written(site: Site) -> None:
    late = Message(1_700_000_000.0, "warn", "something is missing")
    assert "Written 2023-11-14 22:13 UTC, sent late." in as_mail(site, late)[1]


def test_a_torn_outbox_and_a_flood_lose_no_new_message(site: Site) -> None:
    put(site, Message(1.0, "ok", "before"))
    outbox_file(site).write_text('[[1.0, "o')
    for number in range(MOST + 5):
        put(site, Message(float(number), "ok", f"text {number}"))
    seen = list[str]()

    def send(message: Message) -> bool:
        seen.append(message.text)
        return len(seen) < 4

    assert send_all(site, send) == (3, MOST - 3)
    assert seen == ["text 5", "text 6", "text 7", "text 8"]
