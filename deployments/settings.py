"""Prefect's settings, as `prefect.env` beside this file has them, for all that start Prefect."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("prefect.env")


def read_settings(file: Path = FILE) -> dict[str, str]:
    """Variable -> value, of a file of `NAME=value` lines as systemd's EnvironmentFile= reads them.

    Raises ValueError, with the line's number, for what is neither that nor a comment nor empty.
    """
    settings = dict[str, str]()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not name.isidentifier():
            raise ValueError(f"{file}:{number}: not NAME=value: {line!r}")
        settings[name] = value
    return settings
