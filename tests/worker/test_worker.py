"""The in-process worker takes runs in time, in parallel and once imported, and ends them well."""

from __future__ import annotations

import signal
import time

from deployments.demo.processes import wait_until
from tests.worker.place import Place


def test_runs_begin_within_a_second_of_their_time_and_import_once(place: Place) -> None:
    place.deploy("quick")
    place.start_worker()
    ordered = time.time()
    dues = {f"{n}": ordered + 3.5 + 0.7 * n for n in range(6)}
    runs = [place.run("quick", due - time.time(), name=name) for name, due in dues.items()]
    for run in runs:
        place.wait_for_state(run, "Completed")
    begun = {line.split()[-1]: moment for moment, line in place.said() if "quick" in line}
    late = [begun[name] - due for name, due in dues.items()]
    print(f"late: {', '.join(f'{seconds:.3f}' for seconds in late)} s")
    assert all(-0.1 < seconds < 1 for seconds in late), late
    assert len([line for _, line in place.said() if line.startswith("imported")]) == 1


def test_a_run_that_is_ordered_at_once_waits_for_no_query(place: Place) -> None:
    place.deploy("quick")
    place.start_worker(PREFECT_WORKER_QUERY_SECONDS="60")
    ordered = time.time()
    run = place.run("quick", name="at-once")
    (place.server.home / f"worker-{place.pool}.wake").touch()
    place.wait_for_state(run, "Completed")
    begun = next(moment for moment, line in place.said() if "at-once" in line)
    print(f"begun {begun - ordered:.2f} s after the order")
    assert begun - ordered < 5


def test_four_runs_go_on_at_once_and_one_that_raises_is_failed(place: Place) -> None:
    place.start_worker()
    failing = place.run("raise_it")
    place.wait_for_state(failing, "Failed")
    assert "as it is meant to" in place.message(failing)
    runs = [place.run("meet", name=f"{n}") for n in range(4)]
    place.wait_until_said(*(f"at {n}" for n in range(4)))
    place.open()
    for run in runs:
        place.wait_for_state(run, "Completed")


def test_a_run_that_is_cancelled_stops_before_its_next_effect(place: Place) -> None:
    place.start_worker()
    run = place.run("stop_soon")
    place.wait_until_said("looks")
    place.cancel(run)
    place.wait_for_state(run, "Cancelled")
    assert place.message(run) == "cancelled in Prefect"


def test_a_run_that_is_cancelled_before_its_time_never_begins(place: Place) -> None:
    place.start_worker()
    run = place.run("quick", 2, name="never")
    place.wait_for_state(run, "Pending")
    place.cancel(run)
    place.wait_for_state(run, "Cancelled")
    assert "quick never" not in [line for _, line in place.said()]


def test_a_part_of_a_run_that_is_cancelled_ends_both(place: Place) -> None:
    """A person sees the move in the list, below the check that made it."""
    worker = place.start_worker()
    run = place.run("act_at_the_gate")
    place.wait_until_said("part begins")
    part = place.parts("part")[0]["id"]
    place.cancel(part)
    worker.wait_until_said("cancelled in Prefect: it ends before its next effect")
    place.open()
    place.wait_for_state(run, "Cancelled")
    wait_until(lambda: place.state(part) == "Cancelled", 5, "the part is Cancelled")
    assert "acted" not in [line for _, line in place.said()]


def test_a_run_that_has_written_goes_on_although_it_is_cancelled(place: Place) -> None:
    worker = place.start_worker()
    run = place.run("write_and_go_on")
    place.wait_until_said("written")
    place.cancel(run)
    worker.wait_until_said("cancelled in Prefect: it goes on to its end")
    place.open()
    place.wait_until_said("told")
    place.wait_for_state(run, "Cancelled")
    assert "went on to its end" in place.message(run)


def test_sigterm_waits_for_the_run_that_has_written_and_leaves_the_rest(place: Place) -> None:
    worker = place.start_worker()
    written, looking = place.run("write_and_go_on"), place.run("stop_soon")
    place.wait_until_said("written", "looks")
    later = place.run("quick", 1.9, name="later")
    place.wait_for_state(later, "Pending")
    worker.process.send_signal(signal.SIGTERM)
    place.wait_for_state(looking, "Cancelled")
    place.wait_for_state(later, "Scheduled")
    assert worker.process.poll() is None
    place.open()
    assert worker.wait() == 0
    place.wait_for_state(written, "Completed")
    place.start_worker()
    place.wait_for_state(later, "Completed")


def test_after_a_kill_the_next_worker_reports_what_was_left(place: Place) -> None:
    worker = place.start_worker()
    left = [place.run("act_at_the_gate"), place.run("meet", name="a"), place.run("meet", name="b")]
    place.wait_until_said("part begins", "at a", "at b")
    left.append(str(place.parts("part")[0]["id"]))
    place.cancel(left[1])
    left.append(place.run("quick", 1.9, name="claimed"))
    place.wait_for_state(left[-1], "Pending")
    worker.end(signal.SIGKILL)
    waiting = place.run("quick", name="waited")
    place.start_worker()
    assert [place.state(run) for run in left] == ["Crashed"] * 5
    assert "the worker that ran it is gone" in place.message(left[0])
    place.wait_for_state(waiting, "Completed")


def test_a_thread_that_hangs_ends_the_worker_while_another_run_still_ends(place: Place) -> None:
    worker = place.start_worker()
    other, hanging = place.run("stop_soon"), place.run("hang")
    place.wait_until_said("looks", "hangs")
    begun = time.monotonic()
    assert worker.wait() == 3
    assert time.monotonic() - begun < 15
    assert place.state(hanging) == "Crashed"
    assert "its thread hangs, 1 s after its deadline" in place.message(hanging)
    assert place.state(other) == "Cancelled"


def test_a_second_worker_of_a_pool_refuses(place: Place) -> None:
    first = place.start_worker()
    second = place.spawn()
    assert second.wait() == 1
    sentence = f"pool {place.pool} has a worker already: process {first.process.pid}"
    assert second.lines == [f"{sentence}\n"]


def test_changed_code_is_said_once(place: Place) -> None:
    (place.root / "tasks").mkdir()
    worker = place.start_worker()
    (place.root / "tasks/new.py").write_text("")
    worker.wait_until_said("this worker runs old code, restart it: changed are tasks/new.py", 15)


def test_the_worker_is_started_before_the_server(place: Place) -> None:
    run = place.run("quick")
    place.server.stop()
    worker = place.spawn()
    worker.wait_until_said("Prefect's server gives no answer")
    place.server.start()
    place.wait_for_state(run, "Completed")


def test_the_server_is_away_while_a_run_ends(place: Place) -> None:
    place.start_worker()
    run = place.run("meet", name="here")
    place.wait_until_said("at here")
    place.server.stop()
    place.open()
    place.server.start()
    place.wait_for_state(run, "Completed", 60)
    place.wait_for_state(place.run("quick"), "Completed", 60)
