"""`make release` builds what is committed and tagged, whole, and nothing else."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.build_node import build

ROOT = Path(__file__).parents[1]
VERSION = "0.1.0"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of what is committed here, with a section of CHANGELOG.md for the version."""
    folder = tmp_path / "clone"
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone: there is nothing to release from")
    git(tmp_path, "clone", "-q", str(ROOT), str(folder))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    project = folder / "pyproject.toml"
    lines = project.read_text().splitlines()
    is_version = [line.startswith("version = ") for line in lines]
    lines[is_version.index(True)] = f'version = "{VERSION}"'
    project.write_text("\n".join(lines) + "\n")
    log = folder / "CHANGELOG.md"
    log.write_text(f"## {VERSION} - 2026-12-01\n\n{log.read_text()}")
    commit(folder)
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=w", "-c", "user.email=w@example.org", "-c", "tag.gpgsign=false")
    subprocess.run(("git", "-C", str(folder), *who, *words), check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "commit", "-q", "-a", "--allow-empty", "-m", "Release")


def release(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (str(folder / "deployments/release.sh"),), capture_output=True, text=True, timeout=300
    )


def leave_untagged(folder: Path) -> None:
    pass


def tag_another_commit(folder: Path) -> None:
    git(folder, "tag", f"v{VERSION}")
    commit(folder)


def change_a_file(folder: Path) -> None:
    git(folder, "tag", f"v{VERSION}")
    (folder / "README.md").write_text("changed")


def add_a_file(folder: Path) -> None:
    git(folder, "tag", f"v{VERSION}")
    (folder / "flows/new.py").write_text("")


def forget_the_changelog(folder: Path) -> None:
    log = folder / "CHANGELOG.md"
    log.write_text(log.read_text().replace(f"## {VERSION} ", "## Unreleased "))
    commit(folder)
    git(folder, "tag", f"v{VERSION}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(leave_untagged, f"no tag v{VERSION}", id="no tag"),
        pytest.param(tag_another_commit, f"no tag v{VERSION}", id="the tag of another commit"),
        pytest.param(change_a_file, "M README.md", id="a change that is not committed"),
        pytest.param(add_a_file, "?? flows/new.py", id="a file that is not committed"),
        pytest.param(forget_the_changelog, f"no section {VERSION}", id="no section in CHANGELOG"),
    ],
)
def test_what_is_no_version_is_not_built(
    clone: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(clone)
    done = release(clone)
    assert done.returncode == 1
    assert said in done.stderr and "Remedy: " in done.stderr
    assert not (clone / "dist").exists()


@pytest.mark.timeout(400)
def test_a_release_is_sdist_wheel_and_joe_pyz_with_their_hashes(
    clone: Path, tmp_path: Path
) -> None:
    git(clone, "tag", f"v{VERSION}")
    done = release(clone)
    assert done.returncode == 0, done.stderr
    sdist, wheel = f"dual_joe-{VERSION}.tar.gz", f"dual_joe-{VERSION}-py3-none-any.whl"
    found = sorted(path.name for path in (clone / "dist").iterdir())
    assert found == sorted(["SHA256SUMS", sdist, wheel, "joe.pyz"])
    check = ("sha256sum", "--check", "--strict", "SHA256SUMS")
    subprocess.run(check, cwd=clone / "dist", check=True, capture_output=True)
    assert done.stdout.endswith((clone / "dist/SHA256SUMS").read_text())

    committed = subprocess.run(
        ("git", "-C", str(clone), "ls-files"), check=True, capture_output=True, text=True
    ).stdout.split()
    with tarfile.open(clone / "dist" / sdist) as files:
        inside = {name.partition("/")[2] for name in files.getnames()}
    assert set(committed) - inside == {".gitignore"}
    with zipfile.ZipFile(clone / "dist" / wheel) as files:
        packed = set(files.namelist())
    folders = ("flows/", "tasks/", "deployments/")
    wanted = {name for name in committed if name.startswith(folders) and name.endswith(".py")}
    wanted |= {name for name in committed if name.startswith("deployments/systemd/")}
    assert wanted | {"deployments/prefect.env"} <= packed
    assert not [name for name in packed if name.startswith("tests/")]
    joe = (clone / "dist/joe.pyz").read_bytes()
    assert joe == build(tmp_path / "joe.pyz").read_bytes(), "as provisioning puts it in place"
    git(clone, "diff", "--quiet", "HEAD")
