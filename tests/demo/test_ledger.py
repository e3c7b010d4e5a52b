"""The account of every version can fail: each loss that a sync could cause is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployments.demo.ledger import Account, account, contains, read_ledger
from deployments.demo.openclaw.versions import Ledger

NOTE = "memory/2026-11-24.md"


class Story:
    """pc-a and pc-b with a workspace each, and the ledger that both write."""

    def __init__(self, root: Path) -> None:
        self.folder, self.snapshots = root / "ledger", root / "snapshots"
        self.folder.mkdir()
        self.snapshots.mkdir()
        self.workspaces = {node: root / node for node in ("pc-a", "pc-b")}

    def write(self, node: str, text: str, path: str = NOTE) -> None:
        Ledger(self.folder, node).write("main", self.workspaces[node], path, text.encode())

    def put(self, node: str, text: str, path: str = NOTE) -> None:
        """What a sync puts into place: no agent wrote it, no ledger knows it."""
        file = self.workspaces[node] / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def kill_before_the_last_rename(self, was_renamed: bool) -> None:
        """Forget the ledger's last line, and the rename too when it did not happen."""
        log = self.folder / "ledger.jsonl"
        lines = log.read_text().splitlines()
        last = json.loads(lines.pop())
        log.write_text("\n".join(lines) + "\n")
        if not was_renamed:
            old = (self.folder / "versions" / last["previous"]).read_bytes()
            (self.workspaces[last["node"]] / last["path"]).write_bytes(old)

    def account(self, serving: str) -> Account:
        return account(self.folder, {"main": self.workspaces[serving]}, [self.snapshots])


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def lost(found: Account) -> list[tuple[str, str]]:
    return [(version.node, version.path) for version in found.lost]


def test_the_newest_version_is_live_and_the_older_ones_were_replaced(story: Story) -> None:
    for text in ("1\n", "1\n2\n", "1\nTWO\n"):
        story.write("pc-a", text)
    found = story.account("pc-a")
    assert (found.written, found.live, found.replaced, found.lost) == (3, 1, 2, [])


def test_a_last_version_that_the_failover_did_not_bring_is_lost_until_it_is_recovered(
    story: Story,
) -> None:
    story.write("pc-a", "synced\n")
    story.put("pc-b", "synced\n")
    story.write("pc-a", "never synced\n")
    story.write("pc-b", "on pc-b\n")
    assert lost(story.account("pc-b")) == [("pc-a", NOTE)]
    story.put("pc-b", "never synced\n", "memory/recovered/2026-11-24-note.from-pc-a.md")
    found = story.account("pc-b")
    assert (found.live, found.recovered, found.replaced, found.lost) == (1, 1, 1, [])


def test_an_appended_merge_contains_both_sides(story: Story) -> None:
    story.put("pc-a", "base\n")
    story.put("pc-b", "base\n")
    story.write("pc-a", "base\nfrom a\n")
    story.write("pc-b", "base\nfrom b\n")
    story.put("pc-b", "base\nfrom b\nfrom a\n")
    found = story.account("pc-b")
    assert (found.contained, found.lost) == (2, [])


def test_a_merge_that_drops_a_line_is_told(story: Story) -> None:
    story.write("pc-a", "base\nfrom a\n")
    story.write("pc-b", "base\nfrom b\n")
    story.put("pc-b", "base\nfrom b\n")
    assert lost(story.account("pc-b")) == [("pc-a", NOTE)]


def test_what_the_agent_makes_of_a_merge_replaces_what_went_into_it(story: Story) -> None:
    story.write("pc-a", "base\nfrom a\n")
    story.write("pc-b", "base\nfrom b\n")
    story.put("pc-a", "base\nfrom b\nfrom a\n")
    story.write("pc-a", "summary\n")
    found = story.account("pc-a")
    assert (found.live, found.replaced, found.lost) == (1, 2, [])


def test_a_version_in_a_snapshot_alone_is_lost(story: Story) -> None:
    story.write("pc-a", "only here\n")
    (story.snapshots / "note.md").write_text("only here\n")
    story.put("pc-b", "something else\n")
    found = story.account("pc-b")
    assert found.in_snapshots == 1 and lost(found) == [("pc-a", NOTE)]


def test_a_file_that_is_gone_is_lost(story: Story) -> None:
    story.write("pc-a", "a note\n")
    (story.workspaces["pc-a"] / NOTE).unlink()
    assert lost(story.account("pc-a")) == [("pc-a", NOTE)]


def test_the_same_text_in_another_file_does_not_count_as_live(story: Story) -> None:
    story.write("pc-a", "a note\n")
    (story.workspaces["pc-a"] / NOTE).unlink()
    story.put("pc-a", "a note\n", "memory/other.md")
    assert lost(story.account("pc-a")) == [("pc-a", NOTE)]


def test_a_kill_before_the_rename_loses_nothing_that_was_live(story: Story) -> None:
    story.write("pc-a", "1\n")
    story.write("pc-a", "2\n")
    story.kill_before_the_last_rename(was_renamed=False)
    found = story.account("pc-a")
    assert (found.live, found.unfinished, found.lost) == (1, 1, [])


def test_a_kill_after_the_rename_leaves_the_new_version_live(story: Story) -> None:
    story.write("pc-a", "1\n")
    story.write("pc-a", "2\n")
    story.kill_before_the_last_rename(was_renamed=True)
    found = story.account("pc-a")
    assert (found.live, found.replaced, found.unfinished, found.lost) == (1, 1, 0, [])


def test_an_unfinished_version_does_not_excuse_the_loss_of_the_one_before_it(
    story: Story,
) -> None:
    story.write("pc-a", "1\n")
    story.write("pc-a", "2\n")
    story.kill_before_the_last_rename(was_renamed=False)
    story.put("pc-a", "overwritten by a sync\n")
    assert lost(story.account("pc-a")) == [("pc-a", NOTE)]


def test_the_copy_is_durable_before_the_live_file_changes(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.write("pc-a", "1\n")

    def killed(file: Path, content: bytes) -> None:
        if file.parent != story.folder / "versions":
            raise KeyboardInterrupt
        file.write_bytes(content)

    monkeypatch.setattr("deployments.demo.openclaw.versions.write_durably", killed)
    with pytest.raises(KeyboardInterrupt):
        story.write("pc-a", "2\n")
    kept = read_ledger(story.folder)[-1]
    assert not kept.was_live and (story.folder / "versions" / kept.sha256).read_text() == "2\n"
    assert (story.workspaces["pc-a"] / NOTE).read_text() == "1\n"


@pytest.mark.parametrize(
    ("whole", "part", "is_in"),
    [
        pytest.param("a\nb\nc\n", "a\nc\n", True, id="lines in order"),
        pytest.param("a\nb\n", "b\na\n", False, id="lines out of order"),
        pytest.param("a\nb\n", "a\na\n", False, id="a line that stands there once only"),
        pytest.param("abc\n", "ab\n", False, id="half a line"),
        pytest.param("a\n", "", False, id="nothing is contained in nothing"),
    ],
)
def test_contains(whole: str, part: str, is_in: bool) -> None:
    assert contains(whole.encode(), part.encode()) is is_in
