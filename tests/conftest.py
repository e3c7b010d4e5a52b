"""Settings for every test: a Prefect of its own, and nothing of the user's."""

from __future__ import annotations

import os
import tempfile

from deployments.settings import read_settings

# Before Prefect is imported anywhere: its settings are read once.
_home = tempfile.TemporaryDirectory(prefix="dj-prefect")
os.environ["PREFECT_HOME"] = _home.name
os.environ["PREFECT_PROFILES_PATH"] = f"{_home.name}/profiles.toml"
os.environ.update(read_settings())
