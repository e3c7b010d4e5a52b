"""joe.pyz: the same bytes each time, licences inside, and it runs alone."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from deployments.build_node import NODE, build

SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture
def joe(tmp_path: Path) -> Path:
    return build(tmp_path / "joe.pyz")


def run_alone(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run with an empty environment, in an empty folder."""
    empty = tmp_path / "empty"
    empty.mkdir(exist_ok=True)
    return subprocess.run(
        argv,
        env={},
        cwd=empty,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_same_sources_give_the_same_bytes(joe: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again.pyz")
    assert again.read_bytes() == joe.read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["again.pyz", "joe.pyz"]


def test_a_program_that_runs_from_an_older_one_goes_on_reading_it(tmp_path: Path) -> None:
    target = tmp_path / "joe.pyz"
    target.write_bytes(b"old")
    with target.open("rb") as running:
        build(target)
        assert running.read() == b"old"
    assert zipfile.is_zipfile(target)


def test_it_holds_our_modules_two_libraries_and_their_licences(joe: Path) -> None:
    with zipfile.ZipFile(joe) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
        assert "Permission is hereby granted" in archive.read("yaml/LICENSE").decode()
        assert "Apache License" in archive.read("json5/LICENSE").decode()
    ours = {f"joe/{path.relative_to(NODE)}" for path in NODE.rglob("*.py")}
    assert ours | {"__main__.py", "yaml/__init__.py", "json5/__init__.py"} <= names
    assert all(name.endswith((".py", ".pyc", "/LICENSE")) for name in names)
    assert {f"{name}c" for name in names if name.endswith(".py")} - names == {"__main__.pyc"}
    assert {name.partition("/")[0] for name in names} == {"__main__.py", "joe", "yaml", "json5"}


@pytest.mark.parametrize("module", ["joe.rpc", "yaml", "json5"])
def test_a_start_compiles_nothing_and_another_python_takes_the_sources(
    joe: Path, tmp_path: Path, module: str
) -> None:
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(joe) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            magic = b"\0\0\r\n" if name.endswith(".pyc") else content[:4]
            changed.writestr(name, magic + content[4:])
    for archive_file, ending in ((joe, ".pyc"), (other, ".py")):
        call = f"import sys; sys.path[:0] = [{str(archive_file)!r}]; import {module} as m"
        done = run_alone(tmp_path, SYSTEM_PYTHON, "-c", f"{call}; print(m.__file__)")
        assert done.stdout.strip().endswith(ending), done.stderr


def test_it_is_a_program(joe: Path) -> None:
    assert joe.stat().st_mode & 0o777 == 0o755
    assert joe.read_bytes().startswith(b"#!/usr/bin/python3 -IS\n")


def test_it_answers_without_environment_and_site_packages(joe: Path, tmp_path: Path) -> None:
    for argv in ((str(joe),), (SYSTEM_PYTHON, str(joe))):
        done = run_alone(tmp_path, *argv, "no-such-verb")
        # Which of the two depends on whether this machine has a node.json: an answer either way.
        assert done.returncode in (1, 2), done.stderr
        assert done.stdout.startswith("{") and done.stdout.count("\n") == 1, done.stdout
        assert done.stderr == ""


@pytest.mark.parametrize("call", ["yaml.safe_load('a: [1, 2]')", "json5.loads('{a: [1, 2,]}')"])
def test_the_bundled_libraries_read(joe: Path, tmp_path: Path, call: str) -> None:
    module = call.partition(".")[0]
    code = f"import sys; sys.path[:0] = [{str(joe)!r}]; import {module}; print({call})"
    code += f"; print({module}.__file__)"
    done = run_alone(tmp_path, SYSTEM_PYTHON, "-IS", "-c", code)
    assert done.stdout.splitlines() == ["{'a': [1, 2]}", f"{joe}/{module}/__init__.pyc"], (
        done.stderr
    )
