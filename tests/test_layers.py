"""The rules of tests/layers.py hold here, and each of them can fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.layers import LONG_FILES, MAX_LINES, problems

ROOT = Path(__file__).parents[1]
FUTURE = "from __future__ import annotations\n"
RIGHT = {
    "flows/__init__.py": "",
    "flows/health_check.py": "from flows.failure_handling import act\nfrom tasks import observe\n",
    "flows/failure_handling.py": "import prefect\nfrom tasks.core.decide import decide\n",
    "tasks/__init__.py": "",
    "tasks/observe.py": "import datetime\nfrom tasks.remote import ssh\ndatetime.datetime.now()\n",
    "tasks/remote/ssh.py": "import paramiko, time\nfrom ..core import decide\n",
    "tasks/core/decide.py": "from datetime import datetime\ndef decide(now: datetime): ...\n",
    "deployments/setup.py": "from flows import health_check\nfrom tasks.core import decide\n",
    "deployments/node/rpc.py": FUTURE + "import time\nfrom .errors import Bad\n"
    "def main():\n    from . import validate\n    import yaml\n",
    "deployments/node/errors.py": FUTURE + "from typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    from .validate import check\n",
    "deployments/node/validate.py": FUTURE + "from json5 import loads\n",
    "tests/test_it.py": "from flows import health_check\nfrom deployments.node import rpc\n",
    "README.md": "one\n" * (MAX_LINES + 1),
}
# id -> (one wrong file, the start of the sentence that names it)
WRONG = {
    "tasks import flows": ("tasks/x.py", "import flows.health_check", "tasks imports flows"),
    "tasks import the package flows": ("tasks/x.py", "from flows import *", "tasks imports flows"),
    "tasks.remote imports tasks": (
        "tasks/remote/x.py",
        "from tasks import observe",
        "tasks.remote imports tasks",
    ),
    "tasks.core imports tasks.remote": (
        "tasks/core/x.py",
        "def f():\n    from ..remote import ssh",
        "tasks.core imports tasks.remote",
    ),
    "tasks.core imports tasks by two dots": (
        "tasks/core/x.py",
        "from .. import observe",
        "tasks.core imports tasks",
    ),
    "flows import deployments": (
        "flows/x.py",
        "import deployments.setup",
        "flows imports deployments",
    ),
    "tasks import the node program": (
        "tasks/x.py",
        "from deployments.node import rpc",
        "tasks imports deployments.node",
    ),
    "the node program imports tasks.core": (
        "deployments/node/x.py",
        "from tasks.core import decide",
        "deployments.node imports tasks.core",
    ),
    "the node program imports deployments": (
        "deployments/node/x.py",
        "from .. import setup",
        "deployments.node imports deployments",
    ),
    "the product imports its tests": ("tasks/x.py", "import tests.test_it", "tasks imports tests"),
    "core imports prefect": ("tasks/core/x.py", "import prefect", "imports prefect"),
    "core imports paramiko": ("tasks/core/x.py", "import paramiko", "imports paramiko"),
    "core runs commands": ("tasks/core/x.py", "from subprocess import run", "imports subprocess"),
    "core opens sockets": ("tasks/core/x.py", "import socket", "imports socket"),
    "core reads the time, late": (
        "tasks/core/x.py",
        "def f():\n    import time",
        ":2: a pure module imports time",
    ),
    "core reads the date": (
        "tasks/core/x.py",
        "import datetime\ndatetime.datetime.now()",
        ":2: a pure module reads the clock (now)",
    ),
    "core reads the date under another name": (
        "tasks/core/x.py",
        "from datetime import datetime as dt\ndt.utcnow()",
        ":2: a pure module reads the clock (utcnow)",
    ),
    "terms read the time": ("deployments/node/term.py", "import time", "imports time"),
    "merge reads today": (
        "deployments/node/merge.py",
        "from datetime import date\ndate.today()",
        "reads the clock (today)",
    ),
    "the node program needs a package": (
        "deployments/node/x.py",
        "import pydantic",
        "the node program imports pydantic",
    ),
    "the node program imports itself by its full name": (
        "deployments/node/x.py",
        "import deployments.node.rpc",
        "an absolute import of ours",
    ),
    "the node program uses newer syntax": (
        "deployments/node/x.py",
        "match 1:\n    case 1: pass",
        "not Python 3.9",
    ),
    "the node program evaluates newer annotations": (
        "deployments/node/x.py",
        "def f(x: int | None): ...",
        "not Python 3.9",
    ),
    "observe loads yaml": (
        "deployments/node/observe.py",
        "import yaml",
        "quick start imports yaml",
    ),
    "the guard loads json5 through another module": (
        "deployments/node/guard.py",
        "from .validate import loads",
        "deployments/node/validate.py:2: a quick start imports json5",
    ),
    "a flow hides our package": ("flows/tasks.py", "", "top-level package tasks"),
    "a flow hides the standard library": ("flows/json.py", "", "top-level package json"),
    "a flow hides a dependency": ("flows/prefect.py", "", "top-level package prefect"),
    "a long file": ("tests/x.py", "\n" * (MAX_LINES + 1), "longer than"),
    "a registry": ("x.toml", "url = 'pypi.o" + "rg'", "x.toml:1: names the host"),
    "a machine's path": ("x.md", "\nsee /wo" + "rk/main", "x.md:2: names a path of one machine"),
    "a home": ("x.yaml", "home: /ro" + "ot/.ssh", "names a path of one machine"),
    "a folder outside": ("x.md", "see ../sha" + "red/facts", "names a folder outside"),
}


def make_tree(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(files)


def test_this_tree_keeps_every_rule() -> None:
    # New files count before they are committed, ignored ones do not.
    argv = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listing = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
    assert "tests/test_layers.py" in names
    found = problems(ROOT, names)
    assert not found, "\n".join(found)


def test_a_file_that_may_be_long_is_long() -> None:
    for name in LONG_FILES:
        assert (ROOT / name).read_text().count("\n") > MAX_LINES, name


def test_a_right_tree_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, make_tree(tmp_path, RIGHT)) == []


@pytest.mark.parametrize(("name", "text", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_named(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    found = problems(tmp_path, make_tree(tmp_path, {**RIGHT, name: text}))
    assert len(found) == 1 and sentence in found[0], found


@pytest.mark.parametrize(
    "text", ["home/work/file", "a network/root/", "~/work/", "shared/design", "the work/life"]
)
def test_ordinary_words_are_not_foreign(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, make_tree(tmp_path, {"x.md": text})) == []
