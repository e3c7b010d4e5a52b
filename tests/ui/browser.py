"""A headless Chromium, told what to do over its own debugging protocol."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from deployments.demo.closing import Closing
from deployments.demo.processes import wait_until

PROGRAM = "chromium"
START_SECONDS, LOOK_SECONDS = 60.0, 60.0
WIDTH, HEIGHT = 1400, 1000
# What a page's form offers to a person, by its labels, and set as his keys would.
HELPERS = """
window.joe = {
  field: (label) => [...document.querySelectorAll('.schema-form-property')].find(
    one => one.querySelector('.schema-form-property__label')?.innerText.split(' (')[0] === label),
  set: (label, value) => {
    const box = joe.field(label).querySelector('.schema-form-property__fields');
    if (typeof value === 'boolean') {
      if (box.querySelector('input').checked !== value) box.querySelector('[role=switch]').click();
      return;
    }
    const control = box.querySelector('textarea, input, select');
    const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(control), 'value');
    own.set.call(control, value);
    for (const name of ['input', 'change', 'blur'])
      control.dispatchEvent(new Event(name, {bubbles: true}));
  },
};
"""


class Browser(Closing):
    """One window. Raises FileNotFoundError when there is no Chromium."""

    def __init__(self) -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise FileNotFoundError(f"{PROGRAM} is not installed: apt-get install {PROGRAM}")
        self._folder = tempfile.TemporaryDirectory(prefix="dj", ignore_cleanup_errors=True)
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
        size = f"--window-size={WIDTH},{HEIGHT}"
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                (program, *flags, size, f"--user-data-dir={self._folder.name}/profile"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: bool(self._address()), START_SECONDS, f"{PROGRAM} has started")
            url = f"http://{self._address()}/json/new"
            request = urllib.request.Request(url, method="PUT")
            with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:  # noqa: S310
                page = json.load(answer)
            self._page = connect(page["webSocketDebuggerUrl"], max_size=None)
        except BaseException:
            self._end()
            raise
        self._numbers = itertools.count(1)

    def _address(self) -> str:
        found = re.search(
            r"DevTools listening on ws://([^/]+)/", self._log.read_text("utf-8", "replace")
        )
        return found[1] if found else ""

    def _do(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._page.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:  # events come between
            told = json.loads(self._page.recv(LOOK_SECONDS))
            if told.get("id") == number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result

    def open(self, url: str) -> None:
        """Go there; what it shows is to be awaited."""
        self._do("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'", "the page is there")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page. Raises RuntimeError when it throws."""
        said = f"(() => {{ if (!window.joe) {{ {HELPERS} }} return ({expression}); }})()"
        told = self._do("Runtime.evaluate", expression=said, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def wait_for(self, expression: str, what: str) -> None:
        """Until it is true in the page. Raises TimeoutError."""
        wait_until(lambda: self.ask(f"!!({expression})") is True, LOOK_SECONDS, what, pause=0.1)

    def fill(self, label: str, value: str | float | bool) -> None:
        """Set a field of the form. Raises RuntimeError when there is none of this label."""
        self.ask(f"joe.set({json.dumps(label)}, {json.dumps(value)})")

    def close(self) -> None:
        self._page.close()
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()
