"""node.json, known_hosts and the units, as the other side reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deployments.node.config import NodeConfig, parse_config
from deployments.node.timing import Timing
from deployments.provision.documents import (
    TIMES,
    fingerprint,
    known_hosts,
    node_json,
    pin,
    pinned,
    unpin,
)
from deployments.provision.places import DROP_IN, FUSE, GUARD
from deployments.provision.steps import File
from deployments.provision.units import node_units, watchdog_units
from deployments.provision.wanted import TEMPLATES
from tasks.core.errors import ConfigError
from tasks.core.site import Site
from tasks.core.times import Times
from tests.provision.model import Model
from tests.provision.sites import SITE, make_wanted


def config(machine: str, site: Site = SITE, found: str = "") -> NodeConfig:
    """node.json as the node program reads it; `found` is what was there before."""
    model = Model()
    model.steps_when_pinned()
    if found:
        where = str(SITE.watchdog.node_file) if machine == "t440" else "~/.dualjoe/node.json"
        file = File("", 0o600, 1.0, found)
        model.change(machine, files={**model.facts[machine].files, where: file})
    text = node_json(site, machine, model.facts, systemd=True)
    assert text is not None
    return parse_config(json.loads(text), machine)


def test_a_node_reaches_both_others_by_their_addresses_and_accounts() -> None:
    peers = config("pc-a").peers
    reached = {name: (one.user, one.address, one.port) for name, one in peers.items()}
    assert reached == {"t440": ("w", "192.0.2.10", 22), "pc-b": ("openclaw02", "192.0.2.22", 2222)}
    assert str(peers["pc-b"].key) == "/home/openclaw01/.dualjoe/keys/pull"
    assert str(peers["pc-b"].answer_key) == "/home/openclaw01/.dualjoe/keys/ask"


def test_each_machine_knows_who_it_is() -> None:
    t440, pc_a = config("t440"), config("pc-a")
    assert (t440.supervisor, pc_a.supervisor) == ("none", "systemd")
    assert (t440.is_node, pc_a.is_node, pc_a.other) == (False, True, "pc-b")
    assert t440.peers == {} and str(t440.state) == "/home/w/.dualjoe"
    assert str(pc_a.run) == "/run/user/1000/dualjoe"


def test_t440s_voter_wakes_the_worker_of_the_checks() -> None:
    trigger = config("t440").trigger
    assert trigger is not None and trigger.deployment == "health-check/joe"
    assert str(trigger.wake) == "/home/w/.dualjoe/prefect/worker-watch.wake"
    assert config("pc-a").trigger is None


def test_the_default_times_of_the_site_are_those_of_the_terms() -> None:
    assert config("pc-a").times == Timing()


def test_every_time_of_the_terms_that_the_site_sets_arrives() -> None:
    slower = {"term_seconds": 22.0, "clock_margin_seconds": 1.5, "kill_budget_seconds": 4.0}
    site = SITE.model_copy(update={"times": Times(**slower)})
    found = config("pc-a", site).times
    assert (found.term, found.clock_slack, found.kill_budget) == (22.0, 1.5, 4.0)
    assert set(TIMES.values()) <= set(vars(Timing()))


def test_what_a_person_wrote_stays_and_what_the_site_says_replaces() -> None:
    by_hand = {
        "sources": {"oc-core": "/srv/core"},
        "state": "/srv/joe",
        "name": "wrong",
        "trigger": {"api": "old", "deployment": "old", "auth_file": "/etc/joe-auth"},
    }
    found = config("t440", found=json.dumps(by_hand))
    assert (found.name, str(found.state), str(found.sources["oc-core"])) == (
        "t440",
        "/srv/joe",
        "/srv/core",
    )
    assert found.trigger is not None and str(found.trigger.auth_file) == "/etc/joe-auth"
    assert found.trigger.api == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize("text", ["{", "[]"], ids=["torn", "a list"])
def test_a_node_json_that_cannot_be_read_is_left_for_its_author(text: str) -> None:
    with pytest.raises(ConfigError, match="mend it or remove it"):
        config("pc-a", found=text)


def test_the_alarm_of_the_site_file_arrives() -> None:
    nodes = {**SITE.nodes, "pc-b": SITE.nodes["pc-b"].model_copy(update={"alarm": ("tell", "me")})}
    site = SITE.model_copy(update={"nodes": nodes})
    assert config("pc-b", site).alarm == ("tell", "me")
    assert config("pc-a", site).alarm == ()


def test_a_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path: Path) -> None:
    file = tmp_path / "key"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file), check=True)
    public = file.with_suffix(".pub")
    argv = ("ssh-keygen", "-l", "-f", str(public))
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert fingerprint(" ".join(public.read_text().split()[:2])) == shown.split()[1]


def test_a_pin_goes_and_other_lines_stay() -> None:
    before = "github.example ssh-ed25519 AAAA\n|1|hash|hash ssh-rsa BBBB"
    after = pin(SITE, "pc-b", "ssh-ed25519 CCCC", before)
    assert after.startswith(before) and pinned(SITE, "pc-b", after) == "ssh-ed25519 CCCC"
    assert pinned(SITE, "pc-a", after) == ""
    assert unpin(SITE, after) == f"{before}\n"


def test_openssh_finds_the_pinned_key_by_address_and_port(tmp_path: Path) -> None:
    text = ""
    for name in ("t440", "pc-a", "pc-b"):
        text = pin(SITE, name, f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name[-1] * 43}", text)
    file = tmp_path / "known_hosts"
    file.write_text(known_hosts(SITE, text) or "")
    for host in ("192.0.2.10", "192.0.2.21", "[192.0.2.22]:2222"):
        argv = ("ssh-keygen", "-F", host, "-f", str(file))
        assert subprocess.run(argv, capture_output=True).returncode == 0, host


# The units: that systemd starts them is for machines with systemd to show.

TEXTS = {name: (TEMPLATES / name).read_text() for name in (FUSE, GUARD, DROP_IN)}


def test_with_the_default_times_the_units_are_the_files_of_the_project() -> None:
    assert node_units(TEXTS, SITE) == TEXTS


def test_the_two_times_in_the_units_are_the_sites() -> None:
    times = Times(kill_budget_seconds=4, guard_watchdog_seconds=5.8)
    units = node_units(TEXTS, SITE.model_copy(update={"times": times}))
    assert "\nTimeoutStopSec=4\n" in units[DROP_IN]
    assert "\nWatchdogSec=5.8\n" in units[GUARD] and "\nWatchdogSec=5.8\n" in units[FUSE]
    assert "\nTimeoutStopSec=1\n" in units[GUARD]


def test_a_template_without_its_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="WatchdogSec= is there 0 times"):
        node_units({**TEXTS, GUARD: "[Service]\n"}, SITE)


def test_t440s_units_have_no_blank_left_and_restart_whatever_ends() -> None:
    deployment = make_wanted().deployment
    assert deployment is not None and set(deployment.units) == {
        "prefect-server.service",
        "prefect-worker-watch.service",
        "prefect-worker-data.service",
    }
    for text in deployment.units.values():
        assert "@" not in text
        for line in ("Restart=always", "KillMode=mixed", "WorkingDirectory=/home/w/joe"):
            assert f"\n{line}\n" in text
        assert '\nEnvironment="PREFECT_HOME=/home/w/.dualjoe/prefect"\n' in text
    watch = deployment.units["prefect-worker-watch.service"]
    assert "\nExecStart=/home/w/joe/.venv/bin/python -m deployments.worker --pool watch\n" in watch
    assert "\nEnvironmentFile=-%h/.dualjoe/notify.env\n" in watch


@pytest.mark.parametrize("project", ["/home/my joe", "/home/100%", '/home/"x"', "/home/$x"])
def test_a_path_that_a_unit_reads_as_something_else_is_refused(project: str) -> None:
    with pytest.raises(ConfigError, match="a unit cannot carry"):
        watchdog_units({}, {}, python="/usr/bin/python3", project=project, port=1, environment={})
