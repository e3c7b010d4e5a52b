"""From three machines to a Joe that looks after himself, and back, by the provisioning alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deployments.demo.processes import wait_until
from tests.lab.bare import KEYS, MINE, Bare, fingerprint, linger
from tests.lab.files import HOME
from tests.lab.openclaw import GUARD, PORT, UNIT
from tests.lab.oracle import Oracle
from tests.lab.service import START_SECONDS, TAKEOVER_SECONDS

CHECK_SECONDS = 60.0
DATA = (".dualjoe/stores", ".dualjoe/prefect", ".dualjoe/journal.jsonl", ".dualjoe/record.json")


@pytest.mark.timeout(900)
def test_from_bare_machines_to_a_takeover_and_back(ground: None, tmp_path: Path) -> None:
    """What `make lab` prints of it are the times that a new user sees."""
    with Bare(tmp_path) as bare:
        groups = {name: host.group for name, host in bare.nodes.items()}
        with Oracle(groups) as oracle:
            lacks_root_on_pc_b(bare)
            begun = time.monotonic()
            install(bare)
            say("provisioned", begun)
            wait_until(lambda: bare.serving() == ["pc-a"], START_SECONDS, "pc-a serves")
            say("and pc-a served", begun)
            wait_until(lambda: checks(bare, "pc-a serves"), CHECK_SECONDS, "a check has run")
            guard = bare.nodes["pc-a"].procs(GUARD)
            begun = time.monotonic()
            assert bare.provision() == (0, "nothing to do\n")
            say("a second run", begun)
            assert bare.nodes["pc-a"].procs(GUARD) == guard, "no guard is restarted"
            for flow in ("memory-sync", "backup-primary-tier", "backup-dr-tier"):
                bare.prefect.finish(f"{flow}/joe")
            is_well_when_its_remedies_are_followed(bare)
            begun = time.monotonic()
            bare.nodes["pc-a"].power_cut()
            wait_until(lambda: bare.serving() == ["pc-b"], TAKEOVER_SECONDS, "pc-b serves")
            say("after a power cut of pc-a pc-b served", begun)
            bare.nodes["pc-a"].start()
            bare.prefect.finish("memory-sync/joe")
            wait_until(lambda: checks(bare, "failback"), CHECK_SECONDS, "pc-a is promotable")
            remove(bare)
            assert bare.serving() == ["pc-b"], "as the record says, by its own unit"
        seen = oracle.stop()
        print(seen)
        assert not seen.both and not seen.blind


@pytest.mark.timeout(600)
def test_a_joe_that_runs_already_is_restarted_once_and_stays_where_he_is(
    ground: None, tmp_path: Path
) -> None:
    """By OpenClaw's own unit on pc-b, which is not the preferred node: his memory is there."""
    with Bare(tmp_path) as bare:
        pc_b = bare.nodes["pc-b"]
        with Oracle({name: host.group for name, host in bare.nodes.items()}) as oracle:
            pc_b.run(("systemctl", "--user", "enable", "--now", UNIT))
            pc_b.wait_until(lambda: pc_b.listens(PORT), 30, "its gateway listens")
            code, told = bare.provision("--yes")
            print(told)
            assert code == 0, told
            assert "write the first record: pc-b may serve, for Joe runs there" in told
            assert told.count("Joe runs on pc-b and is restarted once") == 1, "it is said before"
            wait_until(lambda: bare.serving() == ["pc-b"], START_SECONDS, "pc-b serves")
            pc_b.wait_until(lambda: pc_b.listens(PORT), 30, "its gateway listens again")
            assert pc_b.systemctl("is-enabled", UNIT) == "disabled", "the guard starts it"
            runs = pc_b.procs(GUARD), pc_b.procs(UNIT)
            assert bare.provision() == (0, "nothing to do\n")
            assert (pc_b.procs(GUARD), pc_b.procs(UNIT)) == runs
        seen = oracle.stop()
        (before, after) = seen.of("pc-b")
        print(f"{seen}: Joe was away for {after[0] - before[1]:.1f} s")
        assert not seen.of("pc-a") and not seen.both and not seen.blind


def say(what: str, begun: float) -> None:
    print(f"{what} after {time.monotonic() - begun:.0f} s")


def checks(bare: Bare, words: str) -> bool:
    """Whether one of the newest checks says so."""
    return any(words in line for line in bare.prefect.told().splitlines())


def lacks_root_on_pc_b(bare: Bare) -> None:
    """Where root must do something once it is said, and nothing runs before it was done."""
    mark = linger(bare.nodes["pc-b"])
    mark.unlink()
    code, told = bare.provision("--yes")
    assert code == 1, told
    assert "as root on pc-b, once: loginctl enable-linger" in told
    for host in bare.lab.hosts.values():
        assert f"{fingerprint(host)}\n" in told, "what a person is to compare"
    assert bare.serving() == []
    mark.touch()


def install(bare: Bare) -> None:
    """From where the last run stopped to the end."""
    code, told = bare.provision("--yes")
    print(told)
    assert code == 0, told
    shown = bare.provision("--dry-run")[1]
    assert shown == "nothing to do\n", shown


def is_well_when_its_remedies_are_followed(bare: Bare) -> None:
    """The doctor, by the words that it says itself."""
    code, told = bare.doctor()
    print(told)
    assert code == 1, told
    assert "OK    pc-a serves, and pc-b could take over now\n" in told
    lines = told.splitlines()
    for name, host in bare.nodes.items():
        remedy = f"remedy: as root on {name}: systemctl mask "
        (found,) = [line for line in lines if remedy in line]
        host.run(found.partition(": ")[2].partition(": ")[2].split(), user="root")
    code, told = bare.doctor("DUALJOE_NOTIFY=json://127.0.0.1:9/")
    print(told)
    assert code == 0, told


def remove(bare: Bare) -> None:
    """Nothing of ours is left but the data, and what was there before is as it was."""
    code, told = bare.provision("--remove", "--yes")
    print(told)
    assert code == 0, told
    kept = [path for path in bare.files_of_ours() if not path.partition(":")[2].startswith(DATA)]
    print("\n".join(kept))
    assert not [path for path in kept if "joe-" in path or "prefect-" in path or "/keys" in path]
    for host in bare.nodes.values():
        text = (host.files / KEYS.lstrip("/")).read_text()
        assert text.endswith(MINE) and "dual-joe" not in text
    pc_b = bare.nodes["pc-b"]
    wait_until(lambda: pc_b.listens(PORT), 30, "pc-b's gateway runs again")
    assert pc_b.systemctl("is-enabled", UNIT) == "enabled"
    assert not (pc_b.files / f"{HOME}/.config/systemd/user/{UNIT}.d".lstrip("/")).exists()
