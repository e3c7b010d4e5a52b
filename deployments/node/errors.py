"""What can go wrong on a node.

NodeError
├── BadInput   the caller asked for something that does not exist or is malformed; nothing was done
├── Refused    a guard said no; nothing was changed
└── Failed     the work was tried and did not succeed; what is known about the state is in the message
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
