"""The rules that hold the source tree together, as functions of a root folder.

Each rule yields one sentence a breach: `file:line: what is wrong`. `tests/test_layers.py` applies
them to this tree, and to small wrong trees to prove that each can fail.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

# layer -> the layers that it may import. A module belongs to the longest name that fits.
ARROWS = {
    "flows": {"flows", "tasks", "tasks.remote", "tasks.core"},
    "tasks": {"tasks", "tasks.remote", "tasks.core"},
    "tasks.remote": {"tasks.remote", "tasks.core"},
    "tasks.core": {"tasks.core"},
    "deployments.node": {"deployments.node"},
    "deployments": {
        "deployments",
        "deployments.node",
        "flows",
        "tasks",
        "tasks.remote",
        "tasks.core",
    },
}
# No I/O, no clock, no Prefect: what decides can then be tested as a table.
PURE_MODULES = re.compile(
    r"tasks/core/.*|deployments/node/"
    r"(term|term_file|timing|messages|wire|merge|merge_text|refuse|retention)\.py|"
    r"deployments/provision/"
    r"(steps|places|doors|documents|units|plan|node_units|watchdog_units|removal)\.py"
)
IMPURE_IMPORTS = {"prefect", "paramiko", "subprocess", "socket", "time"}
CLOCKS = {"now", "utcnow", "today"}
NODE_LIBRARIES = {"yaml", "json5"}
# They start each second or with each request, and each of the two libraries costs 30-50 ms.
QUICK_MODULES = {"rpc", "observe", "record", "permit", "answer", "guard", "fuse", "voter"}
MAX_LINES = 250
# file -> why it may be longer.
LONG_FILES: dict[str, str] = {
    "tests/core/decide_cases.py": "one table of data; in two files a missing row would not be seen",
}
# Written in two parts, so that this file may be looked at as well.
FOREIGN = {
    "the host of a package registry": (
        r"pypi\.o"
        r"rg|pythonhosted\.o"
        r"rg|registry\.npmjs\.o"
        r"rg|npmjs\.c"
        r"om"
        r"|crates\.i"
        r"o|deb\.debian\.o"
        r"rg|security\.debian\.o"
        r"rg"
    ),
    "a path of one machine": r"(?<![\w.~-])/(wo" r"rk|ro" r"ot)/",
    "a folder outside this repository": r"\.\./sha" r"red",
}


class Import(NamedTuple):
    module: str
    line: int
    relative: bool
    at_start: bool  # runs when the module is imported, not when a function is called


def problems(root: Path, files: Sequence[str]) -> list[str]:
    """Every breach of every rule by `files`, which are named relative to `root`."""
    rules = (arrows, pure, node_alone, quick_start, flow_names, length, foreign_words)
    return [problem for rule in rules for problem in rule(root, sorted(files))]


def arrows(root: Path, files: Sequence[str]) -> Iterator[str]:
    """Imports point one way."""
    for name in _python(files):
        layer = _layer(_module(name))
        for item in _imports(root, name):
            target = _layer(item.module)
            if target == "tests" and layer != "tests":
                yield f"{name}:{item.line}: {layer} imports tests"
            elif layer in ARROWS and target in ARROWS and target not in ARROWS[layer]:
                yield f"{name}:{item.line}: {layer} imports {target}"


def pure(root: Path, files: Sequence[str]) -> Iterator[str]:
    """What decides has no clock, no I/O and no Prefect."""
    for name in _python(files):
        if not PURE_MODULES.fullmatch(name):
            continue
        for item in _imports(root, name):
            if _top(item.module) in IMPURE_IMPORTS:
                yield f"{name}:{item.line}: a pure module imports {_top(item.module)}"
        tree = _tree(root, name)
        types = {"datetime", "date"} | {
            alias.asname
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "datetime"
            for alias in node.names
            if alias.asname
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr not in CLOCKS:
                continue
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
            if (owner.id if isinstance(owner, ast.Name) else owner) in types:
                yield f"{name}:{node.lineno}: a pure module reads the clock ({node.attr})"


def node_alone(root: Path, files: Sequence[str]) -> Iterator[str]:
    """The node program runs from one file, on Python 3.9, with two bundled libraries."""
    # What it imports of ours is for the arrows to say.
    allowed = sys.stdlib_module_names | NODE_LIBRARIES | {_top(layer) for layer in ARROWS}
    for name in _node(files):
        text = (root / name).read_text()
        try:
            ast.parse(text, feature_version=(3, 9))
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: not Python 3.9: {error.msg}"
            continue
        if "def " in text and "from __future__ import annotations" not in text:
            # `X | None` is an error at import on 3.9 otherwise.
            yield f"{name}:1: not Python 3.9: no future import, so annotations are evaluated"
        for item in _imports(root, name):
            top = _top(item.module)
            if top == "deployments" and not item.relative:
                yield f"{name}:{item.line}: an absolute import of ours is not there in joe.pyz"
            elif top not in allowed:
                yield f"{name}:{item.line}: the node program imports {top}"


def quick_start(root: Path, files: Sequence[str]) -> Iterator[str]:
    """What starts often imports neither library, and nothing that does."""
    node = {_module(name): name for name in _node(files)}
    reached = [module for module in node if module.rpartition(".")[2] in QUICK_MODULES]
    for module in reached:  # grows while it is walked
        for item in _imports(root, node[module]):
            if not item.at_start:
                continue
            if item.module in node and item.module not in reached:
                reached.append(item.module)
            if _top(item.module) in NODE_LIBRARIES:
                yield f"{node[module]}:{item.line}: a quick start imports {item.module}"


def flow_names(root: Path, files: Sequence[str]) -> Iterator[str]:
    """Prefect puts a flow's folder on the path: a flow named like a package would hide it."""
    taken = {_top(_module(name)) for name in _python(files)} - {"setup"}
    taken |= sys.stdlib_module_names | metadata.packages_distributions().keys()
    for name in _python(files):
        if name.startswith("flows/") and Path(name).stem in taken:
            yield f"{name}:1: a flow file is named like the top-level package {Path(name).stem}"


def length(root: Path, files: Sequence[str]) -> Iterator[str]:
    """A file can be read in one sitting."""
    for name in files:
        lines = (root / name).read_text(errors="replace").count("\n") if _is_code(name) else 0
        if lines > MAX_LINES and name not in LONG_FILES:
            yield f"{name}:{lines}: longer than {MAX_LINES} lines"


def foreign_words(root: Path, files: Sequence[str]) -> Iterator[str]:
    """The project speaks of itself alone."""
    for name in files:
        for number, line in enumerate((root / name).read_text(errors="replace").splitlines(), 1):
            for what, pattern in FOREIGN.items():
                if re.search(pattern, line):
                    yield f"{name}:{number}: names {what}"


def _is_code(name: str) -> bool:
    return name.endswith((".py", ".sh")) or name in ("Makefile", ".ci/run")


def _python(files: Sequence[str]) -> list[str]:
    return [name for name in files if name.endswith(".py")]


def _node(files: Sequence[str]) -> list[str]:
    return [name for name in _python(files) if name.startswith("deployments/node/")]


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _top(module: str) -> str:
    return module.partition(".")[0]


def _layer(module: str) -> str:
    names = sorted(ARROWS, key=len, reverse=True)
    fits = (name for name in names if f"{module}.".startswith(f"{name}."))
    return next(fits, _top(module))


def _tree(root: Path, name: str) -> ast.Module:
    return ast.parse((root / name).read_text(), name)


def _imports(root: Path, name: str) -> Iterator[Import]:
    package = _module(name) if name.endswith("/__init__.py") else _module(name).rpartition(".")[0]

    def visit(node: ast.AST, at_start: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, False, at_start)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                # `from tasks import core` names a module, `from tasks.core.site import Site` none.
                inner = f"{base}.{alias.name}"
                path = root / inner.replace(".", "/")
                is_module = path.is_dir() or path.with_suffix(".py").is_file()
                yield Import(inner if is_module else base, node.lineno, node.level > 0, at_start)
        is_lazy = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_start and not is_lazy and not is_typing)

    yield from visit(_tree(root, name), True)
