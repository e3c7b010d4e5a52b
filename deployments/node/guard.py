"""The guard: asks both voters each second, and keeps the gateway inside its terms.

One turn each tick, without threads: hear what has come, look, write, act, ask. Nothing in a turn
waits for a network, a gateway or systemd, and a turn in which nothing changes spawns no process.
"""

from __future__ import annotations

import signal
import sys
import time

from .clock import boottime
from .config import NodeConfig
from .deadman import Deadman, checked_at, message, tell
from .durable import locked
from .errors import BadInput, Failed, NodeError
from .gateway import is_serving
from .guard_status import Report, write_report
from .healthz import Probe, Wellness
from .kept import load_state, save_state, terms_locked, write_term_file
from .link import Link
from .mark import load_mark
from .messages import Answer, State
from .record import parse_record
from .sdnotify import Notifier
from .supervise import ProcessSupervisor, SystemdSupervisor
from .term import Action, Holder
from .term_file import TermFile
from .wire import ask_line, parse_answer

ALONE_REMINDER_SECONDS = 3600.0


class Guard:
    """One guard process: a Holder, its two links, and what it knows of the gateway."""

    def __init__(self, config: NodeConfig) -> None:
        self.config, self.times = config, config.times
        self.holder = Holder(config.name, config.other, config.boot_id(), boottime(), config.times)
        self.links = {
            name: Link(name, peer) for name, peer in config.peers.items() if peer.answer_key
        }
        self.supervisor: SystemdSupervisor | ProcessSupervisor = (
            SystemdSupervisor(config)
            if config.supervisor == "systemd"
            else ProcessSupervisor(config)
        )
        self.probe = Probe(config.gateway_port, config.times.probe)
        self.deadman = Deadman(config.check_silence_seconds)
        self.wellness = Wellness(config.restart_grace_seconds)
        self.report = Report(config)
        self.ending = False
        self.kills = 0  # turns in a row that had to kill
        self.state = State(None)
        self._file: TermFile | None = None
        self._last_ask = 0.0
        self._restart_kill_at: float | None = None

    def turn(self) -> None:
        """One turn. What goes wrong on this machine is reported, and never ends in a start."""
        answers = self._hear(boottime())  # before the clock is read: a thawed guard reads first
        line, trouble = b"", ""
        try:
            action, running, line, trouble = self._decide(answers)
        except (NodeError, OSError) as error:
            trouble = str(error)
            running = is_serving(self.config)
            action = self.holder.look(boottime(), self.state, running)
            action = Action.NOTHING if action is Action.START else action
        now = boottime()
        why_not_started = self._act(action, now)
        if line:
            for link in self.links.values():
                link.ask(line, now)
        try:
            self.supervisor.tick(now, self.holder.term_file(now).drained)
        except (NodeError, OSError) as error:
            trouble = trouble or str(error)
        self._look_after(now, running, action)
        if line:
            self._mind_checks(now)
        if line or trouble or action is not Action.NOTHING:
            self._tell(now, running, action, trouble or why_not_started)

    def may_serve(self, now: float) -> bool:
        """Is the gateway inside a term, its margin not yet begun?"""
        until = self.holder.term_file(now).until
        return self.state.names(self.config.name) and now < until - self.times.margin

    def _hear(self, now: float) -> list[Answer]:
        answers = []
        for link in self.links.values():
            for line in link.read(now):
                try:
                    answer = parse_answer(line.decode())
                    if answer.record is not None:
                        parse_record(answer.record._asdict(), self.config.nodes)
                except ValueError as error:
                    link.trouble = str(error)[:200]
                    self.report.granted[link.name] = False
                    continue
                if answer.sender == link.name:
                    answers.append(answer)
                    self.report.granted[link.name] = answer.granted
        return answers

    def _decide(self, answers: list[Answer]) -> tuple[Action, bool, bytes, str]:
        """Under the lock: hear, look, ask, and write all that before anything is done or sent."""
        with terms_locked(self.config):
            old, trouble = load_state(self.config)
            state, now = old, boottime()
            for answer in answers:
                state = self.holder.hear(answer, now, state)
            running = is_serving(self.config)
            action = self.holder.look(now, state, running)
            line = b""
            if now >= self._last_ask + self.times.ask - self.times.tick / 2:
                state, ask = self.holder.ask(now, state, running)
                ask = ask._replace(unwell=self.wellness.is_unwell(now))
                line = ask_line(ask).encode() + b"\n"
            save_state(self.config, old, state)
            self._write_term_file(now)
            if line:
                self._last_ask = now
        if old.record != state.record:
            self.wellness.reset()
        self.state = state
        return action, running, line, trouble

    def _write_term_file(self, now: float) -> None:
        file = self.holder.term_file(now)
        if file != self._file:
            write_term_file(self.config, file)
            self._file = file

    def _act(self, action: Action, now: float) -> str:
        """Carry out what was decided; returns why a start was not made."""
        self.kills = self.kills + 1 if action is Action.KILL else 0
        if action is Action.START:
            return self.supervisor.start(now)
        if action is Action.DRAIN:
            self.supervisor.drain(now)
        elif action is Action.STOP:
            self.supervisor.stop(now)
        elif action is Action.KILL:
            self.supervisor.kill(now)
        return ""

    def _look_after(self, now: float, running: bool, action: Action) -> None:
        """Restart a gateway in place that is not live for too long; once."""
        if running:
            self.probe.tick(now)
        else:
            self.probe.forget()
            self._restart_kill_at = None
        drained = self.holder.term_file(now).drained
        if action in (Action.NOTHING, Action.START) and self.may_serve(now) and not drained:
            mark = load_mark(self.config)
            start = mark.id if mark else ""
            if self.wellness.wants_restart(now, self.probe.well, start) and running:
                _log(f"the gateway is not live ({self.probe.detail}): one restart in place")
                self._restart_kill_at = now + self.times.kill_budget
                self.supervisor.stop(now)
        else:
            self.wellness.pause()
        if self._restart_kill_at is not None and now >= self._restart_kill_at:
            self.supervisor.kill(now)

    def _mind_checks(self, now: float) -> None:
        """Tell a person when T440 has been silent for too long, and when it is back."""
        since = checked_at(self.config)
        what = self.deadman.look(now, since)
        if not what:
            return
        text = message(self.config, what, now, since)
        _log(text)
        if self.config.alarm:
            try:
                tell(text)
            except OSError as error:
                _log(f"the alarm cannot be told: {error}")

    def _tell(self, now: float, running: bool, action: Action, why_not: str) -> None:
        self.report.update(self, now, running, action, why_not)
        try:
            write_report(self.config, self.report)
        except OSError as error:
            _log(f"the status cannot be written: {error}")

    def close(self) -> None:
        for link in self.links.values():
            link.close()


def _log(text: str) -> None:
    print(f"joe guard: {text}", file=sys.stderr, flush=True)


def run_guard(config: NodeConfig) -> int:
    """Guard this node until SIGTERM. Raises Failed when another guard runs here."""
    if not config.is_node or not config.other or config.supervisor == "none":
        raise BadInput(f"{config.name} is not one of two nodes: there is nothing to guard")
    config.run.mkdir(parents=True, exist_ok=True)
    try:
        with locked(config.run / "guard.lock", 0.0):
            return _loop(Guard(config))
    except Failed as error:
        raise Failed(f"another guard runs on {config.name}: {error.message}") from None


def _loop(guard: Guard) -> int:
    def end(number: int, frame: object) -> None:
        guard.ending = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    notifier, is_ready, last_told, alone_at = Notifier(), False, "", 0.0
    tick = guard.times.tick
    turn_at = time.monotonic()
    while not guard.ending:
        guard.turn()
        notifier.say("WATCHDOG=1" if is_ready else "READY=1\nWATCHDOG=1")
        is_ready = True
        told = guard.report.sentence
        if told != last_told:
            _log(told)
            notifier.say(f"STATUS={told}")
            last_told = told
        if guard.report.content.get("sole") and boottime() >= alone_at:
            _log("this node serves ALONE by a person's word, without the votes of the others")
            alone_at = boottime() + ALONE_REMINDER_SECONDS
        turn_at = max(turn_at + tick, time.monotonic())  # late turns are not made up for
        time.sleep(max(0.0, turn_at - time.monotonic()))
    guard.close()
    return 0
