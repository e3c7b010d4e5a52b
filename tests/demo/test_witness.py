"""The witness of the process table: it fires on a planned split and on nothing else."""

from __future__ import annotations

from pathlib import Path

from deployments.demo.machine import Machine
from deployments.demo.processes import wait_until
from deployments.demo.three import ThreeMachines
from deployments.demo.witness import Witness

from .conftest import SECONDS


def start_gateway(node: Machine) -> None:
    argv = (str(node.home / "bin" / "openclaw"), "gateway", "run", "--port", str(node.gateway_port))
    node.spawn(argv, {}, node.log / "gateway.log")


def seen(witness: Witness) -> set[str]:
    """The machines that run a gateway now, by the witness."""
    changes = witness.changes()
    return set(changes[-1]["machines"]) if changes else set()


def test_the_witness_fires_on_a_planned_split(three: ThreeMachines, tmp_path: Path) -> None:
    with Witness(three.root, tmp_path / "witness.jsonl") as witness:
        start_gateway(three.nodes["pc-a"])
        wait_until(lambda: seen(witness) == {"pc-a"}, SECONDS, "pc-a is seen")
        start_gateway(three.nodes["pc-b"])
        wait_until(lambda: seen(witness) == {"pc-a", "pc-b"}, SECONDS, "the split is seen")
        three.nodes["pc-a"].power_cut()
        wait_until(lambda: seen(witness) == {"pc-b"}, SECONDS, "pc-a is gone")
        report = witness.stop()
    assert 0 < report.both < report.samples
    assert report.longest_gap_seconds < 2.0
    assert any(set(change["machines"]) == {"pc-a", "pc-b"} for change in report.changes)


def test_one_gateway_after_the_other_is_no_split(three: ThreeMachines, tmp_path: Path) -> None:
    with Witness(three.root, tmp_path / "witness.jsonl") as witness:
        for name, node in three.nodes.items():
            start_gateway(node)
            wait_until(lambda n=name: seen(witness) == {n}, SECONDS, f"{name} is seen")  # type: ignore[misc]
            node.power_cut()
            wait_until(lambda: seen(witness) == set(), SECONDS, f"{name} is gone")
        report = witness.stop()
    assert report.both == 0 and report.samples >= 4


def test_a_gateway_without_our_environment_is_known_by_its_ancestors(
    three: ThreeMachines, tmp_path: Path
) -> None:
    node = three.nodes["pc-a"]
    program = (str(node.home / "bin" / "openclaw"), "gateway", "run")
    with Witness(three.root, tmp_path / "witness.jsonl") as witness:
        home = f"HOME={node.home}"
        node.spawn(("env", "-i", home, *program), {}, node.log / "gateway.log")
        wait_until(lambda: seen(witness) == {"pc-a"}, SECONDS, "pc-a is seen")


def test_a_shell_that_only_names_the_gateway_is_none(three: ThreeMachines, tmp_path: Path) -> None:
    node = three.nodes["pc-a"]
    with Witness(three.root, tmp_path / "witness.jsonl") as witness:
        node.spawn(("tail", "-f", "openclaw", "/dev/null"), {}, node.log / "tail.log")
        start_gateway(three.nodes["pc-b"])
        wait_until(lambda: seen(witness) == {"pc-b"}, SECONDS, "pc-b is seen")
        assert witness.stop().both == 0
