"""Random histories on both sides: nothing that a node wrote last is lost, and twice is once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.node.merge_text import join_tails

from .merging import MARK, Tree, carry_out, plan_of

LINES = st.sampled_from([b"one\n", b"## Session\n", b"ID: 1\n", b"no newline", b"\xc3\xa9\n"])
PATHS = st.sampled_from(
    [
        "main/MEMORY.md",
        "main/memory/a.md",
        "main/memory/a.md/b.md",  # one side's folder is the other side's file
        "main/memory/b/c.md",
        "main/memory/b",
        "main/memory/facts.json",
        "main/memory/recovered/2026-11-24-a.from-pc-a.md",
    ]
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["append", "rewrite", "delete"]), PATHS, LINES), max_size=8
)


def edit(tree: Tree, edits: list[tuple[str, str, bytes]], who: bytes) -> Tree:
    """A history of edits; what one side writes is never what the other writes."""
    result = dict(tree)
    for number, (kind, path, line) in enumerate(edits):
        line = line if line == b"no newline" else line[:-1] + who + b"%d\n" % number
        if kind == "delete":
            result.pop(path, None)
            continue
        for other in [one for one in result if one.startswith(path + "/")]:
            del result[other]
        for other in [one for one in result if path.startswith(one + "/")]:
            del result[other]
        if path.endswith(".json"):
            result[path] = b'"%s%d"' % (who, number)
        else:
            result[path] = (result.get(path, b"") if kind == "append" else b"") + line
    return result


@settings(max_examples=400, deadline=None)
@given(EDITS, EDITS, EDITS)
def test_nothing_that_a_node_wrote_last_is_lost_and_twice_is_once(
    first: list[tuple[str, str, bytes]],
    at_theirs: list[tuple[str, str, bytes]],
    at_own: list[tuple[str, str, bytes]],
) -> None:
    base = edit({}, first, b" base ")
    theirs, own = edit(base, at_theirs, b" theirs "), edit(base, at_own, b" own ")
    result = take_in(base, theirs, own)
    for again in (plan_of(base, theirs, result), plan_of(theirs, theirs, result)):
        assert carry_out(again, theirs, result) == result


def take_in(base: Tree, theirs: Tree, own: Tree) -> Tree:
    """What `own` becomes; all that a node wrote last is in it (or aside), and it is a tree."""
    plan = plan_of(base, theirs, own)
    result = carry_out(plan, theirs, own)
    for path, data in theirs.items():
        assert result[path].startswith(data) or path in plan.kept_own
    whole = [*result.values(), *plan.aside.values()]
    for path, data in own.items():
        if data != base.get(path):
            inside = any(data in one for one in whole)
            assert inside or _is_in_tail(base.get(path, b""), data, result.get(path, b""))
    assert not [one for one in result for above in result if one.startswith(above + "/")]
    return result


ROUNDS = st.lists(
    st.tuples(EDITS, st.sampled_from(["sync", "sync twice", "move", "die"])), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(ROUNDS)
def test_nothing_is_lost_over_many_failovers_and_failbacks(
    rounds: list[tuple[list[tuple[str, str, bytes]], str]],
) -> None:
    holder, standby = "pc-a", "pc-b"
    trees: dict[str, Tree] = {holder: {}, standby: {}}
    applied: dict[str, Tree] = {holder: {}, standby: {}}  # what each last took in
    base: Tree = {}
    for number, (edits, event) in enumerate(rounds):
        trees[holder] = edit(trees[holder], edits, b" %s %d " % (holder.encode(), number))
        for _ in range({"sync": 1, "sync twice": 2, "move": 1, "die": 0}[event]):
            trees[standby] = take_in(base, trees[holder], trees[standby])
            base = applied[standby] = trees[holder]
        if event in ("move", "die"):
            # The returning node's base is what the new holder last took in from it.
            holder, standby = standby, holder
            base = applied[holder]
    trees[standby] = take_in(base, trees[holder], trees[standby])


def _is_in_tail(base: bytes, own: bytes, result: bytes) -> bool:
    """Whether what own added to the base stands at the end, behind one marker line."""
    return own.startswith(base) and result.endswith(MARK + own[len(base) :].removeprefix(MARK))


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES), st.lists(LINES), st.lists(LINES))
def test_joined_notes_hold_both_tails_whole_and_in_order(
    first: list[bytes], at_theirs: list[bytes], at_own: list[bytes]
) -> None:
    base = b"".join(first)
    theirs, own = base + b"".join(at_theirs), base + b"".join(at_own)
    joined = join_tails(base, theirs, own, MARK)
    assert joined is not None and joined.startswith(theirs) and own[len(base) :] in joined
    assert join_tails(base, theirs, joined, MARK) == joined
