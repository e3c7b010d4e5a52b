"""authorized_keys: ours come and go, and every byte that was there stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.provision.doors import door, door_lines, edit, parse_public
from deployments.provision.places import places
from tasks.core.errors import ConfigError
from tests.provision.sites import SITE

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjUzYLa4mM4XKz5L0w6ZQeZQkS5uE0w2ZJrGvSbX7y1"
OURS = f'restrict,command="joe export" {KEY} dual-joe:joe:pull@pc-a'
OLD = f'restrict,command="old" {KEY} dual-joe:joe:ask@pc-b'
FOREIGN = [
    f"{KEY} me@laptop\n",
    f'from="10.0.0.0/8" {KEY}\n',
    "# restrict dual-joe:joe:pull@pc-a\n",  # a comment is nobody's line
    f"{KEY} dual-joe:other:pull@pc-a\n",  # another site's
    f"{KEY} about dual-joe:joe:pull@pc-a and more\n",
    f"{KEY} dual-joe:joe:pull\n",
    "\n",
    "  \t\n",
    "\r\n",
    "\x0b\x0c\u2028 no line's end for sshd\n",
    "\udcff\udc80 bytes that are no UTF-8\n",
    "dual-joe:joe:pull@pc-a\n",  # a lone word is no key
]
foreign = st.one_of(st.sampled_from(FOREIGN), st.text(max_size=30).map(lambda t: f"x{t}y\n"))
lines = st.lists(st.sampled_from([OURS, OLD]), unique=True)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """(a file, the same without the lines of ours), the last line perhaps without its end."""
    parts = draw(st.lists(st.one_of(foreign, st.sampled_from([f"{OURS}\n", f"{OLD}\n"]))))
    text, rest = "".join(parts), "".join(p for p in parts if p.strip() not in (OURS, OLD))
    last = draw(st.sampled_from(["", f"{KEY} no end of line"]))
    return text + last, rest + last


@given(files(), lines)
def test_whatever_was_there_stays_byte_for_byte(file: tuple[str, str], wanted: list[str]) -> None:
    text, rest = file
    edited = edit(text, "joe", wanted)
    assert edit(edited, "joe", []) == rest
    found = [line for line in edited.split("\n") if line in (OURS, OLD)]
    assert sorted(found) == sorted(wanted)


@given(files(), lines)
def test_twice_is_once(file: tuple[str, str], wanted: list[str]) -> None:
    once = edit(file[0], "joe", wanted)
    assert edit(once, "joe", wanted) == once


@given(st.text(), lines)
def test_any_text_at_all_is_there_again_after_a_removal(text: str, wanted: list[str]) -> None:
    rest = edit(text, "joe", [])
    assert edit(edit(rest, "joe", wanted), "joe", []) == rest


def test_lines_of_ours_that_a_person_moved_stay_where_they_are() -> None:
    text = f"{KEY} me@laptop\n{OURS}\n"
    assert edit(text, "joe", [OURS]) == text


def test_a_line_of_ours_that_changed_is_replaced() -> None:
    changed = OURS.replace("export", "export again")
    assert edit(f"{OURS}\n{KEY} me\n", "joe", [changed]) == f"{changed}\n{KEY} me\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{KEY}\n{KEY}", id="two lines"),
        pytest.param(f'command="sh" {KEY}', id="options before the key"),
        pytest.param("ssh-rsa AAAAB3Nza", id="another type"),
        pytest.param("", id="nothing"),
        pytest.param(f"{KEY} a\rb\n{KEY}", id="a line's end in the comment"),
    ],
)
def test_what_a_node_sends_as_its_key_is_a_key_or_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not the public half"):
        parse_public(text)


def test_the_comment_of_a_key_does_not_travel() -> None:
    assert parse_public(f'{KEY} x" command="sh\n') == KEY


def test_every_line_is_one_that_openssh_reads(tmp_path: Path) -> None:
    keys = {
        (machine, purpose): KEY
        for machine, purpose in (
            ("t440", "control"),
            *(("pc-a", one) for one in ("pull", "ask")),
            *(("pc-b", one) for one in ("pull", "ask")),
        )
    }
    for machine, count in {"t440": 4, "pc-a": 3, "pc-b": 3}.items():
        found = door_lines(SITE, machine, places(SITE, machine).at("/home/some one"), keys)
        assert found is not None and len(found) == count
        file = tmp_path / machine
        file.write_text("".join(f"{line}\n" for line in found))
        argv = ("ssh-keygen", "-l", "-f", str(file))
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert shown.count("SHA256:") == count
        assert shown.count("dual-joe:joe:") == count


def test_no_door_is_opened_before_all_keys_are_there() -> None:
    where = places(SITE, "pc-a").at("/home/a")
    assert door_lines(SITE, "pc-a", where, {("t440", "control"): KEY}) is None


def test_a_node_file_elsewhere_is_named_in_the_door() -> None:
    watchdog = SITE.watchdog.model_copy(update={"node_file": "/etc/dualjoe/node.json"})
    site = SITE.model_copy(update={"watchdog": watchdog})
    said = door(places(site, "t440").at("/home/w"), "export")
    assert 'command="/usr/bin/env DUALJOE_NODE=/etc/dualjoe/node.json /usr/bin/python3' in said


@pytest.mark.parametrize("home", ['/home/"', "/home/\\", "/home/a\nb"])
def test_a_path_that_the_file_cannot_carry_is_refused(home: str) -> None:
    with pytest.raises(ConfigError, match="a quote, a backslash or a line's end"):
        door(places(SITE, "pc-a").at(home), "rpc")
