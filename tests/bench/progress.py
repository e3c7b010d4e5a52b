"""One dated line on standard error for each step."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """One line, at once."""
    print(f"{datetime.now():%H:%M:%S}  {text}", file=sys.stderr, flush=True)
