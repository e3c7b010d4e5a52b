"""A tier whose peer is of an earlier version, which exports a tree and its manifest one by one."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from deployments.node.errors import Failed
from deployments.node.manifest import verify

from .loopback import Node, Sshd, back_up, read_tree

STORE = "backup/oc-core"
# What the export of an earlier version did with a path that names a snapshot or a staged copy.
EARLIER = """
case "$SSH_ORIGINAL_COMMAND" in
*/tree/|*/manifest.json) exec {export} ;;
*) echo "export: ${{SSH_ORIGINAL_COMMAND##* }} is not exported here" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def tiers(sshd: Sshd, tmp_path: Path) -> tuple[Node, Node, Path]:
    """T440 of an earlier version, a node that pulls from it, and the container's folder."""
    source = tmp_path / "oc-core"
    source.mkdir()
    (source / "a.txt").write_text("one")
    t440, a = Node(tmp_path, "t440", sources={"oc-core": str(source)}), Node(tmp_path, "pc-a")
    a.reach(sshd, t440)
    head, _, kept = sshd.keys.read_text().rpartition("restrict,command=")
    export, _, key = kept.rpartition('" ')
    script = tmp_path / "earlier.sh"
    script.write_text(EARLIER.format(export=export.lstrip('"').replace('\\\\"', '"')))
    command = shlex.join(("/bin/sh", str(script)))
    sshd.keys.write_text(f'{head}restrict,command="{command}" {key}')
    return t440, a, source


def test_it_is_pulled_from_all_the_same(tiers: tuple[Node, Node, Path]) -> None:
    t440, a, source = tiers
    for text in ("one", "two"):
        (source / "a.txt").write_text(text)
        t440.call("store stage", source="oc-core")
        assert not back_up(a, "t440", "stage/oc-core", "primary")["unchanged"]
        assert read_tree(a.current(STORE)) == {"a.txt": text.encode()}
        assert not verify(a.current(STORE).parent)


def test_what_it_does_not_have_is_said(tiers: tuple[Node, Node, Path]) -> None:
    with pytest.raises(Failed, match="the peer does not export this"):
        back_up(tiers[1], "t440", "stage/oc-none", "primary")
