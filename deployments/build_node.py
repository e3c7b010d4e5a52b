"""Builds joe.pyz, the one file that runs on every machine: the node program and its two libraries.

The same sources give the same bytes, so a hash tells whether a machine runs this version.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

NODE = Path(__file__).parent / "node"
# -I: nothing of the user's environment or home is looked at. -S: no site-packages are needed, and
# looking for them costs a third of the start.
SHEBANG = b"#!/usr/bin/python3 -IS\n"
MAIN = """\
# SPDX-License-Identifier: MIT
from joe.rpc import main

raise SystemExit(main())
"""
# The earliest time that a zip file can hold.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# Parts that only serve a command line or the C library, which a node need not have.
LEFT_OUT = {"yaml/cyaml.py", "json5/__main__.py", "json5/tool.py", "json5/host.py"}


def build(target: Path) -> Path:
    """Write the executable archive to `target`, replacing an older one at once, and return it."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    with beside.open("wb") as stream:
        stream.write(SHEBANG)
        with zipfile.ZipFile(stream, "w") as archive:
            members = dict(_members())
            for name, content in sorted({**members, **_compile(members)}.items()):
                member = zipfile.ZipInfo(name, NO_TIME)
                member.create_system = 3  # the permissions below are read only with Unix here
                member.external_attr = 0o100644 << 16
                # Stored: reading a compressed module costs more than its bytes do.
                archive.writestr(member, content, zipfile.ZIP_STORED)
    beside.chmod(0o755)
    beside.replace(target)
    return target


def _compile(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """name.pyc of each module, without which half of a start is compiling.

    A Python of another minor version takes the sources, which lie beside them. The seed: the order
    of a set's constants is part of the bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in members.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        command = (sys.executable, "-m", "compileall", "-q", "-b", "-s", folder, folder)
        # Unchecked: the sources in the archive have no time to compare.
        mode = ("--invalidation-mode", "unchecked-hash")
        subprocess.run((*command, *mode), env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in Path(folder).glob("*/*.pyc")
        }


def _members() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", MAIN.encode()
    for path in NODE.rglob("*.py"):
        yield f"joe/{path.relative_to(NODE).as_posix()}", path.read_bytes()
    yield from _library("pyyaml", "yaml")
    yield from _library("json5", "json5")


def _library(distribution: str, package: str) -> Iterator[tuple[str, bytes]]:
    """Yield the pure-Python modules of an installed package, and its licence beside them."""
    licences = 0
    for path in metadata.files(distribution) or ():
        name = path.as_posix()
        if name.startswith(f"{package}/") and name.endswith(".py") and name not in LEFT_OUT:
            yield name, Path(str(path.locate())).read_bytes()
        elif path.name.startswith("LICENSE"):
            licences += 1
            yield f"{package}/{path.name}", Path(str(path.locate())).read_bytes()
    if licences != 1:
        raise FileNotFoundError(f"{distribution}: {licences} licence files where 1 is expected")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m deployments.build_node TARGET")
    print(f"{build(Path(sys.argv[1]))} built")
