"""`python -m deployments.provision` on three loopback machines, each with a real sshd."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo.ground import make_key
from deployments.demo.launch import PROJECT
from tests.provision.ground import T440, Ground, ground


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ground]:
    """Nothing is in place."""
    with ground(tmp_path) as made:
        yield made


def test_a_dry_run_says_all_and_changes_nothing(fresh: Ground) -> None:
    before = fresh.files()
    done = fresh.provision("--dry-run", "--yes")
    assert done.returncode == 0, done.stderr
    assert fresh.files() == before
    assert "pc-a was not looked at, for its host key is not pinned" in done.stdout
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
