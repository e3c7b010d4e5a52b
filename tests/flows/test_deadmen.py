"""Who notices that T440 or its checks are gone: a heartbeat, and Prefect's own automation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from prefect import flow

from flows.missing_checks import CHECK, missing_checks
from tasks.core.state import History
from tasks.heartbeat import ADDRESS, SECONDS, beat
from tasks.journal import load_history, read_journal, save_history
from tasks.runs import last_completed
from tasks.sites import load_site
from tests.core.sites import SITE_TEXT

PREFECT_YAML = Path(__file__).parents[2] / "prefect.yaml"


class Outside:
    """Somebody's server that counts the beats, and answers as it is told."""

    def __init__(self) -> None:
        self.beats, self.status, self.holds = 0, 200, threading.Event()
        self.holds.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.beats += 1
                outer.holds.wait(2 * SECONDS)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ping/secret"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    server = Outside()
    monkeypatch.setenv(ADDRESS, server.url)
    yield server
    server.holds.set()
    server.server.shutdown()
    server.server.server_close()


@flow(name="beats")
def beats() -> bool:
    return beat()


def test_each_check_is_a_beat_where_one_is_wanted(
    prefect: None, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beats()
    assert outside.beats == 1
    monkeypatch.delenv(ADDRESS)
    assert not beats()
    assert outside.beats == 1


@pytest.mark.parametrize("fault", ["refused", "an error", "hangs", "no address"])
def test_whatever_comes_of_it_the_check_goes_on_and_the_log_keeps_the_secret(
    prefect: None,
    outside: Outside,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if fault == "refused":
        monkeypatch.setenv(ADDRESS, "http://127.0.0.1:9/ping/secret")
    elif fault == "an error":
        outside.status = 503
    elif fault == "hangs":
        outside.holds.clear()
    else:
        monkeypatch.setenv(ADDRESS, "http://[secret")
    caplog.set_level("INFO", logger="prefect")
    assert not beats()
    assert "secret" not in "".join(r.getMessage() for r in caplog.records if "prefect" in r.name)


@flow(name=CHECK)
def a_check() -> None:
    """Ends well."""


def site_file(folder: Path) -> Path:
    file = folder / "site.yaml"
    file.write_text(SITE_TEXT.replace("/var/lib/dualjoe", str(folder)))
    return file


def test_a_check_that_completed_of_late_is_none_that_is_missing(
    prefect: None, tmp_path: Path
) -> None:
    a_check()
    last = last_completed(CHECK)
    assert last is not None and datetime.now(UTC) - last < timedelta(seconds=60)
    assert missing_checks(site_file(tmp_path)).startswith("No: the last check completed")
    assert not (tmp_path / "journal.jsonl").exists()


def test_missing_checks_are_told_once_and_the_next_good_check_clears_it(
    prefect: None, tmp_path: Path
) -> None:
    """The limit is four checks; here they are so close that the last one is long ago."""
    a_check()
    file = site_file(tmp_path)
    file.write_text(file.read_text() + "  check_seconds: 0.1\n")
    site = load_site(file)
    save_history(site, History(level="ok"))
    last = last_completed(CHECK)
    assert last is not None
    while (datetime.now(UTC) - last).total_seconds() < 0.4:  # it is over in a moment
        pass
    told = [missing_checks(file), missing_checks(file)]
    assert all("No health check has completed for" in text for text in told)
    alerts = [entry["text"] for entry in read_journal(site) if entry["kind"] == "alert"]
    assert alerts == [told[0]]
    assert load_history(site).level == "critical", "so the next check that is well is a change"


def test_the_automation_waits_for_checks_on_the_other_pool() -> None:
    document = yaml.safe_load(PREFECT_YAML.read_text())
    (found,) = [one for one in document["deployments"] if "triggers" in one]
    (trigger,) = found["triggers"]
    assert found["work_pool"]["name"] == "data"
    assert trigger["match_related"]["prefect.resource.name"] == CHECK
    assert (trigger["posture"], trigger["within"]) == ("Proactive", 120)
