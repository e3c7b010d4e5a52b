"""Trees in memory, and a merge of them carried out."""

from __future__ import annotations

import hashlib

from deployments.node.merge import Names, Plan, Side, merge
from deployments.node.validate import find_problem

NAMES = Names("pc-a", "pc-b", "2026-11-24")
MARK = NAMES.marker
Tree = dict[str, bytes]


def side(tree: Tree) -> Side:
    return Side(
        {path: hashlib.sha256(data).hexdigest() for path, data in tree.items()}, tree.__getitem__
    )


def plan_of(base: Tree, theirs: Tree, own: Tree) -> Plan:
    return merge(
        side(base), side(theirs), side(own), NAMES, lambda p, d: find_problem(p, d) is not None
    )


def carry_out(plan: Plan, theirs: Tree, own: Tree) -> Tree:
    """The tree that the plan makes of `own`."""
    result = {**own, **{path: theirs[path] for path in plan.take}, **plan.write}
    return {path: data for path, data in result.items() if path not in plan.remove}
