"""What a peer's pull key can ask for: an export, by rsync, for reading. Nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.node.config import NodeConfig
from deployments.node.errors import BadInput
from deployments.node.export import DEFAULT_SECONDS, LONGEST_SECONDS, parse_request

SENDER = "rsync --server --sender -vlogDtpre.iLsfxCIvu . "
ID = "20261124T223306.123Z-1a2b3c4d"


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    for folder in (
        "home/.openclaw/workspace",
        f"state/stores/memory/snaps/{ID}/tree",
        f"state/stores/backup/oc-core/snaps/{ID}/tree",
        "state/stores/backup/oc-core/.offer",
        "state/stage/oc-core/gen-1/tree",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "state/stage/oc-core/current").symlink_to("gen-1")
    return NodeConfig(
        name="t",
        home=tmp_path / "home",
        state=tmp_path / "state",
        run=tmp_path / "run",
        openclaw_home=tmp_path / "home/.openclaw",
        sources={"oc-core": tmp_path / "elsewhere"},
    )


GOOD = {
    "memory/main/": ("home/.openclaw/workspace", "./"),
    f"store/memory/{ID}/tree/": (f"state/stores/memory/snaps/{ID}", "tree/"),
    f"store/backup/oc-core/{ID}/tree": (f"state/stores/backup/oc-core/snaps/{ID}", "tree/"),
    f"store/backup/oc-core/{ID}/manifest.json": (
        f"state/stores/backup/oc-core/snaps/{ID}",
        "manifest.json",
    ),
    "offer/backup/oc-core/": ("state/stores/backup/oc-core/.offer", "./"),
    "stage/oc-core/tree/": ("state/stage/oc-core/gen-1", "tree/"),
    "stage/oc-core/": ("state/stage/oc-core/gen-1", "tree manifest.json"),
    f"store/backup/oc-core/{ID}/": (
        f"state/stores/backup/oc-core/snaps/{ID}",
        "tree manifest.json",
    ),
}


@pytest.mark.parametrize("path", GOOD)
def test_an_export_is_a_folder_and_a_path_inside(config: NodeConfig, path: str) -> None:
    folder, inside = GOOD[path]
    seconds, real, command, is_memory = parse_request(config, SENDER + path)
    assert (real, command) == (config.home.parent.resolve() / folder, SENDER + inside)
    assert seconds == DEFAULT_SECONDS
    assert is_memory == path.startswith("memory/")


def test_the_receivers_deadline_comes_with_the_path_and_has_a_bound(config: NodeConfig) -> None:
    assert parse_request(config, f"{SENDER}t20/memory/main/")[0] == 20
    assert parse_request(config, f"{SENDER}t99999/memory/main/")[0] == LONGEST_SECONDS


NAMED = "rsync --server --sender -lHogDtpRe.iLsfxCIvu --files-from=- --from0 . "


def test_the_paths_of_a_staged_copy_may_be_named(config: NodeConfig) -> None:
    _, real, command, _ = parse_request(config, f"{NAMED}t20/stage/oc-core/")
    assert (real.name, command) == ("gen-1", f"{NAMED}./")


BAD = {
    "nothing": "",
    "named paths of memory": NAMED + "memory/main/",
    "named paths of a snapshot": f"{NAMED}store/memory/{ID}/",
    "named paths of a part": NAMED + "stage/oc-core/tree/",
    "a shell": "sh",
    "another command": "cat /etc/passwd",
    "a push": "rsync --server -vlogDtpre.iLsfxCIvu . memory/main/",
    "an absolute path": SENDER + "/etc/",
    "a path that climbs": SENDER + "memory/main/../../",
    "a path that climbs inside": SENDER + f"store/memory/{ID}/tree/../../",
    "an unknown agent": SENDER + "memory/work/",
    "a store that is no store": SENDER + f"store/other/{ID}/tree/",
    "a snapshot that is not there": SENDER + f"store/memory/{ID[:-1]}0/tree/",
    "what is being pulled": SENDER + "store/memory/.incoming/tree/",
    "a store that offers nothing": SENDER + "offer/memory/",
    "an offer of no store": SENDER + "offer/other/",
    "an offer that climbs": SENDER + "offer/backup/../",
    "a path inside an offer": SENDER + "offer/backup/oc-core/" + "0" * 64,
    "the stores' folder as an offer": SENDER + "offer/",
    "an unknown source": SENDER + "stage/oc-work/tree/",
    "two paths": SENDER + "memory/main/ /etc/",
    "a wildcard": SENDER + "memory/*/",
    "a second command": SENDER + "memory/main/; id",
    "a new line": SENDER + "memory/main/\nid",
    "a path with a NUL": SENDER + "memory/main/\0",
    "the root": SENDER + ".",
}


@pytest.mark.parametrize("command", BAD.values(), ids=BAD)
def test_anything_else_is_refused(config: NodeConfig, command: str) -> None:
    with pytest.raises(BadInput):
        parse_request(config, command)
