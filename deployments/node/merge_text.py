"""How two versions of one file become one, or a note that the agent can find. Pure."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 200  # bytes; most file systems allow 255


def join_tails(base: bytes, theirs: bytes, own: bytes, marker: bytes) -> bytes | None:
    """Both sides appended to `base`: theirs, the marker line, own's tail. None when one did not.

    What was joined before and has grown at the serving side is joined again without a second
    marker; what contains the other side already is the result itself.
    """
    if not (theirs.startswith(base) and own.startswith(base)):
        return None
    if own.startswith(theirs):
        return own
    if theirs.startswith(own):
        return theirs
    tail = own[len(base) :]
    joint = own.find(marker, len(base))
    if joint >= 0 and theirs.startswith(own[:joint].rstrip(b"\n")):
        tail = own[joint + len(marker) :]
    between = b"" if not theirs or theirs.endswith(b"\n") else b"\n"
    return theirs + between + marker + tail


def quote(path: str, node: str, content: bytes) -> bytes:
    """A Markdown note that holds a file which is none; empty for what is no text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return b""
    if not text.strip():
        return b""
    name = path.partition("/")[2].encode("utf-8", "replace").decode()
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    ending = "" if text.endswith("\n") else "\n"
    return f"# {name}, as it was on {node}\n\n{fence}\n{text}{ending}{fence}\n".encode()


def is_markdown(path: str) -> bool:
    """By its name."""
    return path.lower().endswith((".md", ".markdown"))


def shorten(inside: str) -> str:
    """One file name out of a path; a hash stands for what is too long."""
    flat = inside.replace("/", "-")
    flat = flat[: flat.rindex(".")] if "." in flat else flat
    data = flat.encode("utf-8", "surrogateescape")
    if len(data) <= LONGEST_NAME:
        return flat
    digest = hashlib.sha256(data).hexdigest()[:12]
    return data[: LONGEST_NAME - 13].decode("utf-8", "ignore") + "-" + digest
