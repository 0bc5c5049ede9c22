"""`edgecnn run` as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.packages.conftest import wrist_card, write_bundle

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")

_VOLATILE = ("time", "monotonic_s")
_LIMIT_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle `wrist` and its samples as `wrist.csv`."""
    folder = tmp_path_factory.mktemp("run")
    bundle = write_bundle(folder / "wrist", wrist_card())
    np.savetxt(
        folder / "wrist.csv", bundle.vectors().windows.reshape(-1, 2), delimiter=",", header="ax,gyro", comments=""
    )
    return folder


def run(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgecnn", "run", "wrist", *arguments]
    return subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "edgecnn", "run", "wrist", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(lines: str) -> list[dict[str, object]]:
    return [
        {key: value for key, value in json.loads(line).items() if key not in _VOLATILE} for line in lines.splitlines()
    ]


def test_both_engines_print_the_same(folder: Path) -> None:
    compiled = run(folder, "--from", "wrist.csv", "--all", "--monitor", "10")
    assert compiled.returncode == 0, compiled.stderr
    assert compiled.stderr.splitlines()[-1] == "edgecnn: 48 samples, 23 results, 0 dropped"
    assert "compiled C" in compiled.stderr
    text = (folder / "wrist.csv").read_text()
    interpreted = run(folder, "--engine", "litert", "--all", "--monitor", "10", "--wait", text=text)
    assert interpreted.returncode == 0, interpreted.stderr
    assert "LiteRT" in interpreted.stderr
    found = records(compiled.stdout)
    assert found == records(interpreted.stdout)
    assert [record["sample"] for record in found] == list(range(4, 49, 2))
    assert sum("drift" in record for record in found) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(number: signal.Signals, folder: Path) -> None:
    process = start(folder, "--engine", "litert")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("1,2\noops\n1,2\n1,2\n1,2\n")
    process.stdin.flush()
    # The line comes though the input goes on: nothing waits in a buffer.
    assert json.loads(process.stdout.readline())["sample"] == 4
    process.send_signal(number)
    _, said = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 0, said
    assert said.splitlines()[-1] == "edgecnn: 4 samples, 1 results, 0 dropped, 1 bad lines"
    assert "line 2: 'oops'; expected 2 numbers" in said


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    process = start(folder, "--engine", "litert", "--wait")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    try:
        process.stdin.write("1,2\n" * 4000)
        process.stdin.close()
    except BrokenPipeError:
        pass
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(_LIMIT_S) == 0, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_udp(folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(folder, "--engine", "litert", "--from", f"udp://127.0.0.1:{port}")
    assert process.stdout is not None
    assert process.stderr is not None
    assert "LiteRT" in process.stderr.readline()  # it listens before it says so
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(np.ones(8, "<f4").tobytes(), ("127.0.0.1", port))
        assert json.loads(process.stdout.readline())["sample"] == 4
    process.terminate()
    process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--from", "nothing.csv"], "edgecnn: nothing.csv: No such file or directory"),
        (["--from", "ftp://x"], "edgecnn: --from ftp://x: unknown kind of source"),
        (["--columns", "a"], "edgecnn: --columns names 1; expected one for each of the 2 channels"),
        (["--library", "nothing.so"], "edgecnn: nothing.so: cannot be loaded"),
        (["--systemd"], "edgecnn: --systemd: a service has no standard input"),
        (["--engine", "litert", "--library", "x.so"], "edgecnn: --library goes with --engine c"),
    ],
)
def test_what_cannot_run_is_one_line(arguments: list[str], line: str, folder: Path) -> None:
    engine = [] if "--library" in arguments or "--engine" in arguments else ["--engine", "litert"]
    done = run(folder, *arguments, *engine)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_header_without_a_channel_is_an_error(folder: Path) -> None:
    done = run(folder, "--engine", "litert", text="ax,az\n1,2\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("line 1: a header without 'gyro'; expected ax,gyro")


def test_the_unit_holds_the_command_line(folder: Path) -> None:
    done = run(folder, "--from", "udp://:5005", "--all", "--systemd")
    assert done.returncode == 0, done.stderr
    (command,) = [line for line in done.stdout.splitlines() if line.startswith("ExecStart=")]
    place = os.path.realpath(folder / "wrist")
    assert command.endswith(f" run {place} --from udp://:5005 --all")
    assert command.partition("=")[2].startswith("/")
