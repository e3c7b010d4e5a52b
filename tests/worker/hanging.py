"""The in-process worker with one function that hangs, the first time that it is called.

`python -m tests.worker.hanging MODULE.py:FUNCTION FLAG [words of deployments.worker]`. FLAG is the
file that is made when it hangs: a worker that finds it runs as it should.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from deployments import worker


def hang_in(module: str, function: str, flag: Path) -> None:
    """Have the first thread that calls it, in whatever thread from now on, never come back."""

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        wanted = event == "call" and code.co_qualname == function
        if wanted and code.co_filename.endswith(module) and not flag.exists():
            flag.touch()
            threading.Event().wait()

    threading.setprofile(watch)


def main(argv: Sequence[str]) -> int:
    """[place, flag, word...]: the worker until it ends."""
    module, _, function = argv[0].partition(":")
    if not Path(argv[1]).exists():
        hang_in(module, function, Path(argv[1]))
    return worker.main(argv[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
