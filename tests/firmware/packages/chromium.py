"""A headless Chromium that tests talk to through its own pipe: no driver, no port, no dependency."""

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
)
_LIMIT_S = 60.0
# Chromium reads commands at 3 and writes answers to 4.
_HAND_OVER = (
    "import os, sys\nos.dup2(int(sys.argv[1]), 3)\nos.dup2(int(sys.argv[2]), 4)\nos.execv(sys.argv[3], sys.argv[3:])"
)


class Page:
    """One tab; `events` holds all that it told since it was opened."""

    def __init__(self, send: Any, session: str, events: list[dict[str, Any]]) -> None:
        self._send, self._session, self.events = send, session, events

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        return self._send(method, parameters, self._session)  # type: ignore[no-any-return]

    def run(self, expression: str) -> Any:
        """Evaluate JavaScript, a promise to its end."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + _LIMIT_S
        while not self.run(condition):
            assert time.monotonic() < end, f"never: {condition}; {self.complaints}"
            time.sleep(0.03)

    def open(self, address: str) -> None:
        """Load a page; what came from the one before is forgotten."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def screen(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the tab a size in CSS pixels and a color scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def choose_file(self, selector: str, path: Path) -> None:
        """Put a file into an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    @property
    def complaints(self) -> list[str]:
        """Lines of the console, uncaught errors, and what the security policy blocked."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start Chromium with a profile in `folder`; it ends with the block."""
    here_in, there_out = _high_pipe()
    there_in, here_out = _high_pipe()
    chromium = [CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _HAND_OVER, str(there_in), str(there_out), *chromium],
        pass_fds=(there_in, there_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(there_in)
    os.close(there_out)
    try:
        with os.fdopen(here_in, "rb") as answers, os.fdopen(here_out, "wb") as commands:
            yield _first_tab(answers, commands)
    finally:
        process.terminate()
        process.wait(timeout=_LIMIT_S)


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends are out of the way of 3 and 4."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]


def _first_tab(answers: Any, commands: Any) -> Page:
    numbers, events, rest = itertools.count(1), list[dict[str, Any]](), bytearray()

    def send(method: str, parameters: dict[str, Any], session: str = "") -> dict[str, Any]:
        number = next(numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        commands.write(json.dumps(message).encode() + b"\0")
        commands.flush()
        while True:
            while b"\0" not in rest:
                piece = answers.read1(1 << 16)
                assert piece, "Chromium ended"
                rest.extend(piece)
            line, _, left = bytes(rest).partition(b"\0")
            rest[:] = left
            answer = json.loads(line)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]  # type: ignore[no-any-return]
            if "method" in answer:
                events.append(answer)

    target = send("Target.createTarget", {"url": "about:blank"})["targetId"]
    session = send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
    page = Page(send, session, events)
    for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
        page.call(f"{domain}.enable")
    return page
