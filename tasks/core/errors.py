"""What can stop the work.

DualJoeError
├── ConfigError                    the site file is wrong; nothing was started
├── RemoteError(host, what)
│   ├── Unreachable                no answer: refused, timed out, or cut in the middle
│   ├── HostKeyMismatch            it answers with a host key that is unknown or not the pinned one
│   ├── AuthFailed                 it answers, but does not take our key
│   └── CommandFailed(exit_status, message)
├── Refused                        a guard said no; nothing was changed
│   ├── NotPromotable              the other node cannot take over, and why
│   ├── StaleRecord                the record changed since it was read
│   ├── MoveHeld                   another move is under way
│   └── Paused                     a person has paused what checks do by themselves
└── NotStopped                     a stop that could not be proven

RunOver                            this run may not act any more; no DualJoeError, so that nothing
├── DeadlineExceeded               that copes with a failed effect goes on after it
└── RunCancelled
"""

from __future__ import annotations


class DualJoeError(Exception):
    """One sentence for a person."""


class ConfigError(DualJoeError):
    """The site file is wrong; nothing was started."""


class RemoteError(DualJoeError):
    """Talking to a machine failed."""

    def __init__(self, host: str, what: str) -> None:
        super().__init__(f"{host}: {what}")
        self.host = host
        self.what = what


class Unreachable(RemoteError):
    """No answer. `refused` tells a closed port from silence."""

    def __init__(self, host: str, what: str, *, refused: bool = False) -> None:
        super().__init__(host, what)
        self.refused = refused


class HostKeyMismatch(RemoteError):
    """The host key is unknown or is not the pinned one."""


class AuthFailed(RemoteError):
    """The machine answers but does not take our key."""


class CommandFailed(RemoteError):
    """The machine did the work, or tried to, and says that it failed."""

    def __init__(self, host: str, what: str, exit_status: int) -> None:
        super().__init__(host, what)
        self.exit_status = exit_status


class Refused(DualJoeError):
    """A guard said no; nothing was changed."""


class NotPromotable(Refused):
    """The other node cannot take over; the message says why."""


class StaleRecord(Refused):
    """The record on T440 is no longer the one that was decided on."""


class MoveHeld(Refused):
    """Another move is under way."""


class Paused(Refused):
    """A person has paused the moves that checks make by themselves."""


class NotStopped(DualJoeError):
    """A gateway's stop could not be proven, so nothing else may start."""


class RunOver(Exception):
    """This run may not act any more; the effect that raised it was not begun."""


class DeadlineExceeded(RunOver):
    """The run's time is over: what it saw is too old to act on."""


class RunCancelled(RunOver):
    """A person, or a worker that stops, ended the run before it had committed."""
