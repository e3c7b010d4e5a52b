"""The program that provisioning runs on a machine: it repeats, and never destroys."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.provision import hand
from deployments.provision.hands import BOOTSTRAP, Hands, offered
from deployments.provision.steps import Facts
from tasks.core.errors import AuthFailed, CommandFailed, HostKeyMismatch, Unreachable
from tests.provision.sites import SITE

LOOK: dict[str, Any] = {
    "do": "look",
    "read": [],
    "hash": [],
    "stat": [],
    "programs": [],
    "units": [],
    "node_file": "~/.dualjoe/node.json",
    "state": "~/.dualjoe",
    "port": 0,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def put(path: str, text: str, was: str | None, mode: int = 0o600) -> None:
    hand.write({"path": path, "text": text, "mode": mode, "was": was})


def sha256(path: str) -> str:
    found = hand.look_at(path)
    assert found is not None
    return str(found["sha256"])


def test_it_is_python_3_9_and_needs_the_standard_library_alone() -> None:
    text = Path(hand.__file__).read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    assert "from __future__ import annotations" in text
    found = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    found |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in found} <= sys.stdlib_module_names


def test_a_look_is_facts(home: Path) -> None:
    (home / "a").write_bytes(b"\xff\n")
    (home / "b").write_text("secret")
    order = {**LOOK, "read": ["~/a", "~/none"], "stat": ["~/b"], "programs": ["sh", "no-such-one"]}
    facts = Facts.parse(json.loads(json.dumps(hand.look(order))))
    assert facts.text("~/a").encode("utf-8", "surrogateescape") == b"\xff\n"
    assert facts.files["~/none"] is None and facts.missing == ("no-such-one",)
    found = facts.files["~/b"]
    assert found is not None and found.text == "" and found.sha256 != sha256("~/b")
    assert (facts.home, facts.uid, facts.units) == (str(home), os.getuid(), None)


def test_the_record_is_found_where_node_json_says(home: Path) -> None:
    assert hand.look(LOOK)["record"] == ""
    (home / ".dualjoe").mkdir()
    (home / ".dualjoe/record.json").write_text("here\n")
    assert hand.look(LOOK)["record"] == "here"
    (home / "elsewhere").mkdir()
    (home / "elsewhere/record.json").write_text("there\n")
    (home / ".dualjoe/node.json").write_text(json.dumps({"state": "~/elsewhere"}))
    assert hand.look(LOOK)["record"] == "there"


def test_a_listener_is_seen() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not hand.is_listening(port)
        listener.listen()
        assert hand.is_listening(port)
    assert not hand.is_listening(port)


def test_a_process_began_when_it_began() -> None:
    with subprocess.Popen(("sleep", "30")) as child:
        try:
            own, its = hand.started(os.getpid()), hand.started(child.pid)
            assert 0 < own <= its
        finally:
            child.kill()
    assert hand.started(0) == 0.0


def test_a_file_is_written_with_its_folders_for_this_user_alone(home: Path) -> None:
    put("~/.ssh/authorized_keys", "one\n", None)
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == "one\n" and file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    put("~/.ssh/authorized_keys", "two\n", sha256("~/.ssh/authorized_keys"), 0o644)
    assert file.read_text() == "two\n" and file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(file.parent) == ["authorized_keys"]


@pytest.mark.parametrize("was", [None, "0" * 64], ids=["it came meanwhile", "it is another one"])
def test_what_somebody_else_wrote_meanwhile_is_not_written_over(
    home: Path, was: str | None
) -> None:
    (home / "file").write_text("theirs")
    with pytest.raises(hand.Failed, match="changed by somebody else"):
        put("~/file", "ours", was)
    assert (home / "file").read_text() == "theirs"


def test_a_symlink_stays_one(home: Path) -> None:
    (home / "real").write_text("old")
    (home / "link").symlink_to(home / "real")
    put("~/link", "new", sha256("~/link"))
    assert (home / "link").is_symlink() and (home / "real").read_text() == "new"


def test_a_private_key_is_never_made_twice(home: Path) -> None:
    order = {"path": "~/keys/pull", "comment": "dual-joe:joe:pull@pc-a"}
    hand.key(order)
    private, public = home / "keys/pull", home / "keys/pull.pub"
    first = private.read_bytes(), public.read_text()
    hand.key(order)
    assert (private.read_bytes(), public.read_text()) == first
    assert (
        first[1].endswith(" dual-joe:joe:pull@pc-a\n") and private.stat().st_mode & 0o777 == 0o600
    )
    assert sorted(os.listdir(home / "keys")) == ["pull", "pull.pub"]


def test_a_lost_public_half_is_made_from_the_private_one(home: Path) -> None:
    order = {"path": "~/keys/pull", "comment": "dual-joe:joe:pull@pc-a"}
    hand.key(order)
    before = (home / "keys/pull.pub").read_text()
    (home / "keys/pull.pub").unlink()
    hand.key(order)
    assert (home / "keys/pull.pub").read_text() == before


def test_a_removal_may_be_repeated_and_leaves_full_folders(home: Path) -> None:
    (home / "keys").mkdir()
    for name in ("ours", "theirs"):
        (home / "keys" / name).touch()
    order = {"files": ["~/keys/ours"], "folders": ["~/keys"]}
    hand.remove(order)
    hand.remove(order)
    assert os.listdir(home / "keys") == ["theirs"]
    hand.remove({"files": ["~/keys/theirs"], "folders": ["~/keys"]})
    assert not (home / "keys").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["sh", "-c", "echo wrong >&2; exit 3"], "exit 3: wrong", id="it fails"),
        pytest.param(["sleep", "20"], "did not end within 0.2 s", id="it hangs"),
        pytest.param(["/no/such/program"], "No such file", id="it is not there"),
    ],
)
def test_a_command_that_does_not_succeed_is_a_sentence(argv: list[str], said: str) -> None:
    with pytest.raises(hand.Failed, match=said):
        hand.run({"argv": argv, "seconds": 0.2 if argv[0] == "sleep" else 20})


def test_the_same_orders_are_carried_out_on_t440_itself(home: Path) -> None:
    hands = Hands(SITE)
    assert hands.do("t440", {"do": "run", "argv": ["echo", "hi"], "seconds": 5}) == {"said": "hi\n"}
    with pytest.raises(CommandFailed, match="t440: false: exit 1: it said nothing"):
        hands.do("t440", {"do": "run", "argv": ["false"], "seconds": 5})
    with pytest.raises(CommandFailed, match="KeyError: 'dance'"):
        hands.do("t440", {"do": "dance"})


def test_what_a_login_shell_prints_is_no_answer() -> None:
    program = Path(hand.__file__).read_bytes()
    order = json.dumps({"do": "run", "argv": ["echo", "hi"], "seconds": 5})
    given = b"%d\n%s%s" % (len(program), program, order.encode())
    script = f'echo welcome; {sys.executable} -IS -c "{BOOTSTRAP}"'
    done = subprocess.run(("sh", "-c", script), input=given, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "welcome" and lines[1] == hand.MARK + '{"said": "hi\\n"}'


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Host key verification failed.", HostKeyMismatch),
        ("w@192.0.2.21: Permission denied (publickey).", AuthFailed),
        ("ssh: connect to host 192.0.2.21 port 22: Connection refused", Unreachable),
    ],
)
def test_what_ssh_says_is_told_apart(said: str, kind: type[Exception]) -> None:
    assert type(Hands(SITE).explain("pc-a", 255, said)) is kind
    assert type(Hands(SITE).explain("pc-a", 127, said)) is CommandFailed


def test_only_an_ed25519_key_is_offered() -> None:
    lines = ["# host:22 SSH-2.0", "[h]:2 ssh-rsa AAAA", "[h]:2 ssh-ed25519 BBBB"]
    assert offered(lines) == "ssh-ed25519 BBBB" and offered(lines[:2]) == ""
