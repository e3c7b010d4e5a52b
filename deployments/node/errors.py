"""What can go wrong on a node.

NodeError
├── BadInput   asked for what does not exist or is malformed; nothing was done
├── Refused    a guard said no; nothing was changed
└── Failed     tried without success; the message says what is known about the state
"""

from __future__ import annotations


class NodeError(Exception):
    """One sentence for a person, and the remedy when there is one."""

    kind = "failed"
    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadInput(NodeError):
    """The request is not one that this program knows; nothing was done."""

    kind = "bad-input"
    exit_code = 2


class Refused(NodeError):
    """A guard said no; nothing was changed."""

    kind = "refused"


class Failed(NodeError):
    """The work was tried and did not succeed."""

    kind = "failed"
