"""The site file of a run: read, checked, kept for the process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tasks.core.errors import ConfigError
from tasks.core.site import Site, parse_site

DEFAULT_SITE = Path("deployments/site.yaml")


def load_site(file: Path) -> Site:
    """Read and check a site file; nothing starts on a half-valid one.

    Raises ConfigError naming file, line, field and what would be right.
    """
    path = file.expanduser()
    try:
        return _parse(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing: copy deployments/site.example.yaml and edit it"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


@lru_cache(maxsize=8)
def _parse(path: Path, _changed_ns: int) -> Site:
    return parse_site(path.read_text(), str(path))
