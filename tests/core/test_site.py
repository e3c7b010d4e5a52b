"""The site file: what is accepted, and what a wrong one is told."""

from __future__ import annotations

import pytest

from tasks.core.errors import ConfigError
from tasks.core.site import parse_site
from tests.core.sites import EXAMPLE, SITE_TEXT


def test_the_example_is_a_valid_site_file() -> None:
    site = parse_site(EXAMPLE.read_text(), EXAMPLE.name)
    assert (site.site, site.preferred, site.other("pc-a")) == ("joe", "pc-a", "pc-b")
    assert site.watchdog.state.is_absolute(), "~ is expanded"


def test_defaults_are_those_of_the_design() -> None:
    times = parse_site(SITE_TEXT, "site.yaml").times
    assert (times.check_seconds, times.sync_seconds, times.backup_seconds) == (30, 300, 3600)
    assert (times.term_seconds, times.silence_seconds, times.margin_seconds) == (20, 14, 7)


WRONG = {
    "an unknown field": (
        ("preferred: pc-a", "preferred: pc-a\ncolour: blue"),
        "site.yaml:3: colour: there is no such field",
    ),
    "an unknown field inside a node": (
        ("user: openclaw02", "user: openclaw02, sheel: zsh"),
        "site.yaml:11: nodes.pc-b.sheel: there is no such field",
    ),
    "a missing field": (
        ("  joe: /var/lib/dualjoe/joe.pyz\n", ""),
        "site.yaml:3: watchdog.joe: this field is required",
    ),
    "a port out of range": (
        ("user: openclaw01", "user: openclaw01, port: 70000"),
        "site.yaml:10: nodes.pc-a.port: Input should be less than or equal to 65535 (it is 70000)",
    ),
    "a name for a time": (
        ("failback_after_seconds: 300", "failback_after_seconds: soon"),
        "site.yaml:14: times.failback_after_seconds: Input should be a valid number, unable to"
        " parse string as a number (it is 'soon')",
    ),
    "one node": (
        ("  pc-b: {address: 192.0.2.22, user: openclaw02}\n", ""),
        "site.yaml:1: site file: nodes: there must be exactly 2, there are 1",
    ),
    "a preferred node that does not exist": (
        ("preferred: pc-a", "preferred: pc-c"),
        "site.yaml:1: site file: preferred: 'pc-c' is not one of pc-a, pc-b",
    ),
    "a term too short for its margin: both numbers are shown": (
        ("failback_after_seconds: 300", "term_seconds: 11"),
        "site.yaml:13: times: term_seconds 11s - margin 7s = 4s must be >= 2 asks of 1s + probe"
        " 3s = 5s",
    ),
    "a check too rare for the takeover goal": (
        ("failback_after_seconds: 300", "check_seconds: 60"),
        "site.yaml:13: times: takeover by the check path takes 72s, must be <= 45s (check 60s,"
        " silence 14s, term 20s, start 6s)",
    ),
    "not YAML": (("site: joe", "site: [joe"), "site.yaml:2: not YAML"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_site_file_is_refused_with_line_field_and_what_would_be_right(
    change: tuple[str, str], message: str
) -> None:
    text = SITE_TEXT.replace(*change)
    assert text != SITE_TEXT
    with pytest.raises(ConfigError) as caught:
        parse_site(text, "site.yaml")
    assert message in str(caught.value)


def test_every_fault_is_named_not_only_the_first() -> None:
    text = SITE_TEXT.replace("preferred: pc-a", "colour: blue")
    with pytest.raises(ConfigError) as caught:
        parse_site(text, "site.yaml")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "[]", "7", "null"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.yaml:1: the site file must be a mapping"):
        parse_site(text, "site.yaml")
