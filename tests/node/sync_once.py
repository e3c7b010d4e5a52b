"""One whole sync in a process that can be killed: `python -m tests.node.sync_once STEP_FILE`.

Standard input is {"pull", "publish", "apply"}: the parameters of each. The name of the step that
runs is in STEP_FILE.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deployments.node.config import load_config
from deployments.node.rpc import answer


def main(step_file: Path) -> None:
    params, config = json.load(sys.stdin), load_config()
    step_file.write_text("pull")
    answer(config, "store pull", params["pull"])
    step_file.write_text("publish")
    snapshot = answer(config, "store publish", params["publish"])["id"]
    step_file.write_text("apply")
    answer(config, "store apply", {**params["apply"], "snapshot": snapshot})
    step_file.write_text("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
