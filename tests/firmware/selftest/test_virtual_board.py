"""The whole firmware on a Cortex-M4 that QEMU plays, over its serial port."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.selftest.virtual_board import build_console_image, virtual_board

from .builds import Firmware, firmware
from .console_model import framed

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
START_S = 30


@pytest.fixture(scope="module")
def made(tiny: bytes) -> Firmware:
    return firmware(tiny, "tiny")


@pytest.fixture(params=["gcc", "zig"])
def port(request: pytest.FixtureRequest, made: Firmware, tmp_path: Path) -> Iterator[str]:
    try:
        image = build_console_image(made.files, "tiny", tmp_path, prefer=request.param)
    except MissingDependency as error:
        pytest.skip(str(error))
    with virtual_board(image) as name:
        yield name


def test_the_firmware_runs_on_the_virtual_board(port: str, made: Firmware) -> None:
    serial = pytest.importorskip("serial", reason="pyserial is not installed")
    with serial.Serial(port, timeout=0.5) as stream:
        until = time.monotonic() + START_S
        hello = b""
        while not hello.startswith(b"#1 ok hello") and time.monotonic() < until:
            stream.write(b"\n" + framed(b"#1 hello"))
            hello = stream.read_until(b"\n")
            while hello and not hello.startswith(b"#1 ok hello"):
                hello = stream.read_until(b"\n")
        assert b" name=tiny " in hello
        assert b" clock=virtual ticks_per_second=25000000 " in hello
        stream.timeout = START_S
        stream.reset_input_buffer()
        answers = {}
        for command in (b"#2 selftest", b"#3 run 0", b"#4 stack"):
            stream.write(framed(command))
            while not answers.get(command, b"").startswith(command[:3]):
                answers[command] = stream.read_until(b"\n")
                assert answers[command], command
    selftest, run, stack = answers.values()
    assert selftest.startswith(b"#2 ok selftest result=0 ")
    assert run.startswith(b"#3 ok run index=0 row=0 equal=1 ")
    assert f" output={made.outputs[0].tobytes().hex()} *".encode() in run
    assert 64 <= int(stack.split(b"call=")[1].split()[0]) < 1024


def test_an_image_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "console.elf").write_bytes(b"nothing")
    with pytest.raises(BoardError, match="is no image"), virtual_board(tmp_path / "console.elf"):
        pass
    with pytest.raises(BoardError, match="is no image"), virtual_board(tmp_path / "absent.elf"):
        pass


def test_code_that_does_not_compile_is_one_line(made: Firmware, tmp_path: Path) -> None:
    files = {**made.files, "tiny.c": b"int"}
    with pytest.raises(BoardError, match=r"compiling tiny.c for mps2-an386: "):
        build_console_image(files, "tiny", tmp_path)
