"""`python -m deployments.provision` on three loopback machines, each with a real sshd."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.ground import make_key
from deployments.demo.launch import PROJECT
from deployments.node.config import load_config
from deployments.node.messages import Ask, Record
from deployments.node.wire import ask_line, parse_answer
from tests.demo.conftest import ssh_argv
from tests.provision.ground import NODES, SECONDS, T440, Ground, ground


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """All in place. What is tested with it changes nothing."""
    with ground(tmp_path_factory.mktemp("site")) as made:
        done = made.provision("--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ground]:
    """Nothing is in place."""
    with ground(tmp_path) as made:
        yield made


def key(place: Ground, owner: str, purpose: str) -> Path:
    return place.own(owner, f"keys/{purpose}")


def test_a_second_run_has_nothing_to_do(place: Ground) -> None:
    before = place.files()
    done = place.provision()
    assert (done.returncode, done.stdout) == (0, "nothing to do\n"), done.stderr
    assert place.files() == before


@pytest.mark.parametrize("node", NODES)
def test_t440s_control_key_opens_rpc(place: Ground, node: str) -> None:
    answered = place.knock(key(place, T440, "control"), node, "observe")
    assert answered.returncode == 0, answered
    assert json.loads(answered.stdout)["guard"] is None
    refused = place.knock(key(place, T440, "control"), node, "sh")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (2, "bad-input")


@pytest.mark.parametrize(
    ("node", "to"), [("pc-a", T440), ("pc-b", T440), ("pc-a", "pc-b"), ("pc-b", "pc-a")]
)
def test_a_nodes_ask_key_opens_the_others_voters(place: Ground, node: str, to: str) -> None:
    """A real ask, with the ssh options and the node.json of the node itself."""
    peer = load_config(place.machines[node].node_file).peers[to]
    assert peer.answer_key is not None
    argv = ssh_argv(peer.answer_key, peer.port, peer.address, known_hosts=peer.known_hosts)
    ask = Ask(node, "boot", 1.0, Record(1, "pc-a"), False, False, None, False, False)
    done = subprocess.run(
        argv, input=ask_line(ask) + "\n", capture_output=True, text=True, timeout=SECONDS
    )
    told = parse_answer(done.stdout.strip())
    assert (told.sender, told.record) == (to, Record(1, "pc-a"))


@pytest.mark.parametrize(
    ("node", "to"), [("pc-a", T440), ("pc-b", T440), ("pc-a", "pc-b"), ("pc-b", "pc-a")]
)
def test_a_nodes_pull_key_opens_the_others_exports(place: Ground, node: str, to: str) -> None:
    done = place.knock(key(place, node, "pull"), to, "cat /etc/passwd")
    assert (done.returncode, done.stderr) == (
        2,
        "export: only rsync may read here, and only an export\n",
    )


def test_a_pull_key_brings_a_memory(place: Ground, tmp_path: Path) -> None:
    """By the other node's own path: rsync through the door, from a workspace."""
    peer = load_config(place.machines["pc-b"].node_file).peers["pc-a"]
    shell = " ".join(ssh_argv(peer.key, peer.port, known_hosts=peer.known_hosts))
    source = f"{peer.user}@{peer.address}:memory/main/"
    argv = ("rsync", "-a", "-e", shell, source, str(tmp_path))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "IDENTITY.md").read_text().startswith("# IDENTITY")


@pytest.mark.parametrize(
    ("owner", "purpose", "to"),
    [
        pytest.param("pc-a", "pull", "pc-a", id="no node pulls from itself"),
        pytest.param("pc-a", "ask", "pc-a", id="no node asks itself"),
        pytest.param(T440, "control", T440, id="T440 opens no door to its own key"),
    ],
)
def test_a_key_opens_no_other_machine(place: Ground, owner: str, purpose: str, to: str) -> None:
    assert "Permission denied" in place.knock(key(place, owner, purpose), to, "true").stderr


@pytest.mark.parametrize("purpose", ["pull", "ask"])
@pytest.mark.parametrize("option", ["-Wtarget", "-tt"], ids=["a port", "a terminal"])
def test_a_nodes_key_opens_no_port_and_no_terminal(
    place: Ground, purpose: str, option: str
) -> None:
    target = f"-W127.0.0.1:{place.machines['pc-b'].ssh_port}"
    word = target if option.startswith("-W") else option
    done = place.knock(key(place, "pc-a", purpose), "pc-b", word, "true")
    assert "SSH-2.0" not in done.stdout
    said = "administratively prohibited" if word == target else "PTY allocation request failed"
    assert said in done.stderr


def test_the_asker_of_a_door_is_the_one_that_it_was_made_for(place: Ground) -> None:
    argv = ssh_argv(
        key(place, "pc-a", "ask"),
        place.t440.ssh_port,
        "127.0.0.1",
        known_hosts=place.own("pc-a", "known_hosts"),
    )
    line = ask_line(Ask("pc-b", "boot", 1.0, None, False, False, None, False, False))
    done = subprocess.run(argv, input=f"{line}\n", capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2 and "through the door of pc-a" in done.stderr


def test_what_was_in_authorized_keys_is_there_byte_for_byte(place: Ground) -> None:
    for name in place.machines:
        file = place.authorized_keys(name)
        mine = f"# mine\n\n{place.user_key.with_suffix('.pub').read_text().strip()}"
        assert file.read_text().endswith(f"\n{mine}")
        assert file.stat().st_mode & 0o777 == 0o600
        ours = file.read_text().removesuffix(mine).splitlines()
        assert all(line.startswith("restrict,") for line in ours)
        assert len(ours) == (4 if name == T440 else 3)


def test_private_keys_are_each_machines_own_and_nobody_elses_to_read(place: Ground) -> None:
    private = {}
    for name in place.machines:
        for file in place.own(name, "keys").iterdir():
            if file.suffix != ".pub":
                assert file.stat().st_mode & 0o777 == 0o600
                private[file.read_bytes()] = file
    assert len(private) == 5, "one key per purpose, none twice"


def test_the_first_record_is_on_t440_alone(place: Ground) -> None:
    record = json.loads((place.own(T440, "state") / "record.json").read_text())
    assert record == {"epoch": 1, "holder": "pc-a"}


def test_joe_pyz_runs_on_each_machine(place: Ground) -> None:
    for name, machine in place.machines.items():
        argv = (str(place.own(name, "joe.pyz")), "observe")
        done = subprocess.run(
            argv, env=machine.environment, input="", capture_output=True, text=True, timeout=SECONDS
        )
        assert json.loads(done.stdout)["name"] == name, done


# From nothing


def test_a_dry_run_says_all_and_changes_nothing(fresh: Ground) -> None:
    before = fresh.files()
    done = fresh.provision("--dry-run", "--yes")
    assert done.returncode == 0, done.stderr
    assert fresh.files() == before
    for words in ("pin the host key of pc-b", "pc-a: put ~/.dualjoe/joe.pyz", "first record"):
        assert words in done.stdout
    assert re.search(r"^\d+ steps, none of them made$", done.stdout, re.MULTILINE)


def test_no_host_key_is_pinned_without_a_yes(fresh: Ground) -> None:
    before = fresh.files()
    for typed in ("", "no\n", "y\n"):
        done = fresh.provision(text=typed)
        assert done.returncode == 1 and "not agreed to: t440: pin the host key" in done.stderr
    assert fresh.files() == before


def test_typed_yeses_are_enough_and_the_fingerprints_were_shown(fresh: Ground) -> None:
    done = fresh.provision(text="yes\n" * 3)
    assert done.returncode == 0, done.stderr
    for machine in fresh.machines.values():
        argv = ("ssh-keygen", "-l", "-f", str(machine.etc / "host_key.pub"))
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert shown.split()[1] in done.stdout


def test_killed_anywhere_it_goes_on_there(fresh: Ground) -> None:
    """SIGKILL right after a step was announced, three times, then to the end."""
    announced: list[str] = []
    for count in (5, 4, 6):
        with subprocess.Popen(
            [*fresh.command("--yes")],
            cwd=PROJECT,
            env={**fresh.t440.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            steps = (line for line in running.stdout if not line.startswith("  "))
            announced += [next(steps) for _ in range(count)]
            running.send_signal(signal.SIGKILL)
    keys = {file: file.read_bytes() for file in fresh.root.glob("*/home/.dualjoe/keys/*")}
    done = fresh.provision("--yes")
    assert done.returncode == 0, done.stderr
    assert fresh.provision().stdout == "nothing to do\n"
    assert keys and all(file.read_bytes() == text for file, text in keys.items()), "made once"
    assert not list(fresh.root.glob("*/home/.dualjoe/**/*.new*"))


def test_a_removal_leaves_the_data_and_what_was_there(fresh: Ground) -> None:
    before = fresh.files()
    assert fresh.provision("--yes").returncode == 0
    store = fresh.own("pc-b", "stores/memory/note.md")
    store.parent.mkdir(parents=True)
    store.write_text("remember")
    done = fresh.provision("--remove", "--yes")
    assert done.returncode == 0, done.stderr
    for name in fresh.machines:
        left = fresh.authorized_keys(name)
        assert left.read_bytes() == before[str(left.relative_to(fresh.root))][2]
        assert not fresh.own(name, "joe.pyz").exists() and not fresh.own(name, "keys").exists()
        assert fresh.machines[name].node_file.exists(), "a person's fields are in it"
    assert store.read_text() == "remember" and (fresh.own(T440, "state") / "record.json").exists()
    assert fresh.provision("--remove").stdout == "nothing to do\n"


def test_another_host_key_stops_it(fresh: Ground) -> None:
    assert fresh.provision("--yes").returncode == 0
    known = fresh.own(T440, "known_hosts")
    lines = known.read_text().splitlines()
    port = fresh.machines["pc-b"].ssh_port
    other = next(line.split(" ", 1)[1] for line in lines if f":{port} " not in line)
    mine = [line for line in lines if f":{port} " not in line]
    known.write_text("\n".join([*mine, f"[127.0.0.1]:{port} {other}"]) + "\n")
    before = fresh.files()
    done = fresh.provision("--yes")
    assert done.returncode == 1 and "somebody else answers there" in done.stderr
    assert fresh.files() == before


def test_a_key_that_opens_nothing_is_told_of_with_the_way_out(fresh: Ground) -> None:
    make_key(fresh.root / "wrong", "wrong")
    done = fresh.provision("--yes", identity=fresh.root / "wrong")
    assert done.returncode == 1
    assert "Permission denied" in done.stderr and "ssh-copy-id" in done.stderr
    assert "The next run goes on here." in done.stderr


def test_a_node_that_is_off_is_told_of_and_the_rest_is_done_later(fresh: Ground) -> None:
    fresh.machines["pc-b"].power_cut()
    done = fresh.provision("--yes")
    assert done.returncode == 1 and "switch pc-b on" in done.stderr
    fresh.machines["pc-b"].power_on()
    assert fresh.provision("--yes").returncode == 0


def test_a_site_file_without_t440s_address_is_refused(fresh: Ground) -> None:
    text = fresh.site_file.read_text()
    fresh.site_file.write_text(text.replace("  address: 127.0.0.1\n  joe", "  joe"))
    done = fresh.provision("--yes")
    assert done.returncode == 2 and "watchdog.address" in done.stderr
