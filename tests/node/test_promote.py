"""`joe.pyz promote`: T440 is gone for good, and a person has the other node serve."""

from __future__ import annotations

from deployments.demo.processes import wait_until
from deployments.demo.three import T440
from deployments.node.promote import FLAG

from .terms_ground import SECONDS, Terms


def answers(ground: Terms, name: str, voter: str) -> bool:
    link = ground.status(name).get("links", {}).get(voter, {})
    return link.get("answered_s") is not None and link["answered_s"] <= 6 * ground.times.ask


def await_silence(ground: Terms, name: str, *voters: str) -> None:
    wait_until(
        lambda: not any(answers(ground, name, voter) for voter in voters),
        SECONDS,
        f"{name} hears nothing of {voters}",
    )


def test_while_t440_answers_it_is_refused(ground: Terms) -> None:
    wait_until(lambda: answers(ground, "pc-b", T440), SECONDS, "T440 answers pc-b")
    refused = ground.run("pc-b", "promote")
    assert refused.returncode == 1
    assert "t440 answers" in refused.stderr and "force-failover" in refused.stderr
    assert ground.record("pc-b") == ground.record()


def test_while_the_old_holder_answers_a_higher_record_is_enough(ground: Terms) -> None:
    epoch = int(ground.record()["epoch"])
    ground.three.t440.power_cut()
    await_silence(ground, "pc-b", T440)
    refused = ground.run("pc-b", "promote", FLAG)
    assert refused.returncode == 1 and "pc-a answers, so it is not off" in refused.stderr
    done = ground.run("pc-b", "promote")
    assert done.returncode == 0, done.stderr
    ground.await_serving("pc-b", epoch + 1000)
    assert ground.status("pc-a")["state"] == "standby"
    ground.three.t440.power_on()
    wait_until(
        lambda: (ground.joe(T440, "observe")["record"] or {}).get("epoch") == epoch + 1000,
        SECONDS,
        "T440 adopts the higher record when it comes back",
    )


def test_with_both_others_off_it_serves_alone_only_by_a_persons_word(ground: Terms) -> None:
    epoch = int(ground.record()["epoch"])
    ground.three.t440.power_cut()
    ground.three.nodes["pc-a"].power_cut()
    await_silence(ground, "pc-b", T440, "pc-a")
    refused = ground.run("pc-b", "promote")
    assert refused.returncode == 1 and FLAG in refused.stderr
    assert not ground.runs("pc-b")
    done = ground.run("pc-b", "promote", FLAG)
    assert done.returncode == 0, done.stderr
    ground.await_serving("pc-b", epoch + 1000)
    assert "serves by a person's word" in ground.run("pc-b", "status").stdout
    (ground.three.t440.state / "record.json").unlink()
    ground.three.t440.power_on()
    ground.three.nodes["pc-a"].power_on()
    wait_until(lambda: not ground.status("pc-b").get("sole"), SECONDS, "it is alone no more")
    ground.await_serving("pc-b", epoch + 1000)
