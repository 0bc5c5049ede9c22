"""Workers, and ways to them that need no network."""

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_bench.places.process import Launch

posix = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")

FAKE_SSH = """\
#!/bin/sh
# Runs the command on this machine, as the shell of a login there would.
printf '%s\\n' "$@" > {log}
while [ "$1" != "--" ]; do shift; done
if [ "$2" = "nobody@nowhere" ]; then
    echo "ssh: Could not resolve hostname nowhere: Name or service not known" >&2
    exit 255
fi
shift 2
export TMPDIR={remote}
exec {shell} -c "$*"
"""

HELLO = {
    "python": "3.9.2",
    "libraries": {"numpy": "1.26.4", "tflite-runtime": "2.14.0"},
    "interpreter": "tflite-runtime",
    "why": "",
    "system": "Raspberry Pi OS",
    "machine": "armv7l",
    "cpu": "Raspberry Pi 3",
    "cores": 4,
    "pointer_bits": 32,
    "libc": "glibc",
    "features": ["neon"],
}


def frame(header: object, body: bytes = b"", *, magic: bytes = b"ECNN", version: int = 1) -> bytes:
    """A frame, written apart from both sides' code."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return magic + struct.pack("<HIQ", version, len(text), len(body)) + text + body


class FakeSsh:
    """An `ssh` on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = folder / "remote tmp"
        self.remote.mkdir()
        self.log = folder / "arguments"
        (folder / "bin").mkdir()
        self.program = folder / "bin" / "ssh"
        self.use_shell("sh")

    def use_shell(self, shell: str) -> None:
        """The login shell there."""
        quoted = {name: "'" + str(path) + "'" for name, path in (("log", self.log), ("remote", self.remote))}
        self.program.write_text(FAKE_SSH.format(shell=shell, **quoted), encoding="utf-8")
        self.program.chmod(0o755)

    def left_behind(self) -> list[str]:
        """What is left on the machine."""
        return sorted(path.name for path in self.remote.iterdir())


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    """An `ssh` that runs commands on this machine."""
    made = FakeSsh(tmp_path)
    monkeypatch.setenv("PATH", f"{made.program.parent}{os.pathsep}{os.environ['PATH']}")
    return made


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Launch]:
    """Makes a worker that answers the first requests with given bytes, whatever they are, and then does something."""

    def make(*answers: bytes, then: str = "", cut: bool = False) -> Launch:
        for index, answer in enumerate(answers):
            (tmp_path / f"answer{index}").write_bytes(answer)
        script = tmp_path / "scripted.py"
        script.write_text(
            SCRIPTED.format(folder=str(tmp_path), answers=len(answers), then=then, cut=cut), encoding="utf-8"
        )
        return Launch(name="a place", command=(sys.executable, "-I", str(script)))

    return make


SCRIPTED = """\
import os, struct, sys, time
def request():
    head = sys.stdin.buffer.read(18)
    if len(head) == 18:
        sys.stdin.buffer.read(sum(struct.unpack("<4sHIQ", head)[2:]))
for index in range({answers}):
    request()
    sys.stdout.buffer.write(open({folder!r} + "/answer%d" % index, "rb").read())
    sys.stdout.buffer.flush()
if not {cut}:
    request()
{then}
"""
