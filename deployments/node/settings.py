"""`settings describe`: this machine's openclaw.json, so that two can be compared, no secret told.

Numbers and short plain texts are told as they are. Whatever could be a secret, by its name or its
looks, is told as a keyed hash under the asker's nonce: the same on both machines, of no use later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

from . import params as p
from .config import NodeConfig
from .errors import BadInput
from .memory import read_settings

# A machine's own: its port, and when its file was touched.
IGNORED = re.compile(r"gateway\.port|wizard\..*|meta\.(?!lastTouchedVersion$).*")
SECRET = re.compile(r"token|secret|passw|key|cred|auth|bearer|cookie|private|webhook", re.I)
PLAIN = re.compile(r"[\w .,:/@~+-]{0,60}")
# Long, in one piece and with digits: this is how tokens look.
DENSE = re.compile(r"(?=\S*\d)[^\s/.]{16,}")


def settings_describe(config: NodeConfig, params: dict[str, Any]) -> dict[str, Any]:
    """{"nonce": text} -> {"entries": {path: word}}; no entries when there is no openclaw.json.

    Raises Failed, with line and column, when it cannot be read; BadInput without a nonce.
    """
    nonce = p.text(params, "nonce")
    if len(nonce) < 16:
        raise BadInput('"nonce" must be a text of at least 16 characters')
    home = str(config.home)
    return {
        "entries": {
            path: describe(path, value, nonce, home)
            for path, value in leaves("", read_settings(config))
            if path and not IGNORED.fullmatch(path)
        }
    }


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value with its path; an entry of a list that has an id goes by it, not by its place."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            name = inner.get("id", number) if isinstance(inner, dict) else number
            yield from leaves(f"{path}[{name}]", inner)
    else:
        yield path, value


def describe(path: str, value: Any, nonce: str, home: str) -> str:
    """One value in words; the machine's home folder is `~`."""
    if not isinstance(value, str):
        return json.dumps(value)
    text = "~" + value[len(home) :] if (value + "/").startswith(home + "/") else value
    is_plain = PLAIN.fullmatch(text) and not DENSE.search(text)
    if is_plain and not SECRET.search(path):
        return text
    digest = hmac.new(nonce.encode(), text.encode(errors="replace"), hashlib.sha256)
    return f"secret {digest.hexdigest()[:16]}"
