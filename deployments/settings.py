"""Prefect's settings, as `prefect.env` beside this file has them, for all that start Prefect."""

from __future__ import annotations

from pathlib import Path

API = "http://127.0.0.1:4200/api"
"""Where Prefect's server of T440 answers, and nowhere else."""
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


def make_place(home: Path, api: str) -> dict[str, str]:
    """Settings that keep server, workers and runs inside `home`."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_URL": api,
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        "PREFECT_LOCAL_STORAGE_PATH": str(home / "storage"),
        "TMPDIR": str(home / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
