"""How the demo's own programs are started: by the nodes' Python, without our venv."""

from __future__ import annotations

from pathlib import Path

PYTHON = "/usr/bin/python3"
PROJECT = Path(__file__).resolve().parents[2]

# Appended, not put first: no module of the project or of site-packages may hide one of stdlib.
_BOOTSTRAP = """\
import sys
sys.path.append({project!r})
from {module} import main
sys.exit(main(sys.argv[1:]))
"""


def bootstrap(module: str) -> str:
    """Python text that runs `main(argv)` of a module of this project."""
    return _BOOTSTRAP.format(project=str(PROJECT), module=module)


def module_argv(module: str, *words: str) -> tuple[str, ...]:
    """argv that runs `main(words)` of a stdlib-only module of this project."""
    return (PYTHON, "-IB", "-c", bootstrap(module), *words)


def write_launcher(file: Path, module: str) -> Path:
    """Write an executable script that runs `main(argv)` of the module, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!{PYTHON} -IB\n{bootstrap(module)}")
    file.chmod(0o755)
    return file
