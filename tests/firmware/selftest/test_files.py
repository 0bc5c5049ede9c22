"""The generated C: what is chosen, that every compiler takes it, and what NAME_selftest returns."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.selftest import golden, selftest_files
from edgecnn_firmware.selftest.golden import choose_golden

from .builds import GCC, SANITIZERS, ZIG, ZIG_CPP, Firmware, compile_c, firmware

ARM = ("arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb")
CLANG_FORMAT = shutil.which("clang-format", path=Path(sys.executable).parent) or shutil.which("clang-format")
SOURCES = ("tiny_selftest.c", "tiny_console.c", "tiny_console_port.c")

MAIN = """
#include <stdio.h>
#include "tiny_selftest.h"
int main(void) { return printf("%d %s\\n", tiny_selftest(), TINY_MODEL_SHA256) < 0; }
"""


@pytest.fixture(scope="module")
def made(tiny: bytes) -> Firmware:
    return firmware(tiny, "tiny")


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (GCC, ("-std=c99", "-O2")),
        (ZIG, ("-std=c99", "-O2")),
        (GCC, ("-x", "c++", "-std=c++17")),
        (ZIG_CPP, ("-x", "c++", "-std=c++17")),
        (ARM, ("-std=c99", "-Os")),
    ],
    ids=["gcc", "zig", "g++", "zig c++", "arm"],
)
def test_compilers_take_every_file_without_a_warning(
    made: Firmware, tmp_path: Path, command: Sequence[str], flags: Sequence[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    made.write(tmp_path)
    for source in SOURCES:
        for main in ((), ("-DTINY_CONSOLE_MAIN",)):
            compile_c(tmp_path, [source], "object.o", (*flags, *main, "-c"), command)


def test_files_are_the_same_every_time(made: Firmware) -> None:
    again = selftest_files(made.program, made.model, made.inputs, made.outputs)
    assert list(again) == [
        f"tiny_{n}" for n in ("selftest.h", "selftest.c", "console.h", "console.c", "console_port.c")
    ]
    assert {name: made.files[name] for name in again} == again
    for name, data in again.items():
        assert data.isascii(), name
        assert data.endswith(b"\n"), name
        assert max(map(len, data.splitlines())) <= 120, name


@pytest.mark.skipif(CLANG_FORMAT is None, reason="clang-format is not installed")
def test_console_is_formatted(made: Firmware, tmp_path: Path) -> None:
    made.write(tmp_path)
    shutil.copy(Path(__file__).parents[3] / ".clang-format", tmp_path)
    for name in ("tiny_selftest.h", "tiny_console.h", "tiny_console.c", "tiny_console_port.c"):
        found = subprocess.run([str(CLANG_FORMAT), name], cwd=tmp_path, capture_output=True, check=True)
        assert found.stdout == made.files[name], name


def run_selftest(files: dict[str, bytes], folder: Path) -> str:
    for name, data in {**files, "main.c": MAIN.encode()}.items():
        (folder / name).write_bytes(data)
    flags = ("-std=c99", *SANITIZERS)
    program = compile_c(folder, ["main.c", "tiny.c", "tiny_selftest.c"], "selftest", flags, GCC)
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_selftest_passes_and_names_the_model(made: Firmware, tmp_path: Path) -> None:
    assert run_selftest(made.files, tmp_path) == f"0 {hashlib.sha256(made.model).hexdigest()}\n"


def test_selftest_finds_changed_vectors_in_flash(made: Firmware, tmp_path: Path) -> None:
    head, mark, tail = made.files["tiny_selftest.c"].partition(b"tiny_selftest_inputs[TINY_SELFTEST_COUNT]")
    first = tail.split(b"{\n", 2)[2].split(b",")[0].strip()
    changed = tail.replace(first, b"%d" % (int(first) ^ 1), 1)
    assert run_selftest({**made.files, "tiny_selftest.c": head + mark + changed}, tmp_path).startswith("-1 ")


def test_selftest_names_the_vector_that_differs(made: Firmware, tmp_path: Path) -> None:
    """The network's last output is wrong where the input begins as the second golden vector's."""
    second = int(made.inputs[choose_golden(made.program, made.inputs, made.outputs).rows[1]].reshape(-1)[0])
    body = made.files["tiny.c"].rstrip().removesuffix(b"}")
    wrong = body + b"    if (input[0] == %d) output[1] = (int8_t)(output[1] ^ 1);\n}\n" % second
    assert run_selftest({**made.files, "tiny.c": wrong}, tmp_path).startswith("2 ")


def test_every_decided_class_is_chosen_and_the_first_rows(made: Firmware) -> None:
    found = choose_golden(made.program, made.inputs, made.outputs)
    classes = made.outputs.argmax(axis=1)
    assert {0, 1} <= set(found.rows)
    assert set(classes[list(found.rows)]) == set(classes)
    np.testing.assert_array_equal(found.outputs, made.outputs[list(found.rows)])
    np.testing.assert_array_equal(found.inputs, made.inputs[list(found.rows)].reshape(len(found.rows), -1))


def test_flash_is_bounded(made: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "MAX_BYTES", 17)
    assert len(choose_golden(made.program, made.inputs, made.outputs).rows) == 2
    monkeypatch.setattr(golden, "MAX_BYTES", 1)
    assert len(choose_golden(made.program, made.inputs, made.outputs).rows) == 1


def test_what_cannot_be_tested_is_refused(
    made: Firmware, tiny_model: Callable[..., Any], pack: Callable[[Any], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = made.outputs.copy()
    wrong[0, 0] ^= 1
    with pytest.raises(ModelError, match="window 0 gives other bytes"):
        choose_golden(made.program, made.inputs, wrong)
    with pytest.raises(ModelError, match="at least one window"):
        choose_golden(made.program, made.inputs[:0], made.outputs[:0])
    with pytest.raises(ModelError, match="expected"):
        choose_golden(made.program, made.inputs[:, :1], made.outputs)
    monkeypatch.setattr(golden, "MAX_WINDOW_BYTES", 5)
    with pytest.raises(ModelError, match="at most 5"):
        choose_golden(made.program, made.inputs, made.outputs)


def test_a_sigmoid_gives_both_classes(shared_models: Path) -> None:
    data = (shared_models / "ecg_b1.tflite").read_bytes()
    program = compile_model(data, "ecg", "ecg")
    made = firmware(data, "ecg", windows=4)
    zero_point, scale = program.graph.outputs[0].affine.zero_point, program.graph.outputs[0].affine.scale
    over = (made.outputs[:, 0].astype(int) - zero_point) * scale > 0.5
    rows = choose_golden(made.program, made.inputs, made.outputs).rows
    assert set(over[list(rows)]) == set(over)
