"""The self-test of a network whose window slides: windows go in hop by hop, in a state of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.classifier.windows import conv_model

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.selftest import selftest_files
from edgecnn_firmware.selftest.golden import choose_golden

from .builds import GCC, SANITIZERS, compile_c

WINDOW, CHANNELS = 40, 3
CLANG_FORMAT = shutil.which("clang-format", path=Path(sys.executable).parent) or shutil.which("clang-format")
MAIN = """
#include <stdio.h>
#include "net_selftest.h"
int main(void) {
    const int first = net_selftest();
    return printf("%d %d\\n", first, net_selftest()) < 0;
}
"""


def vectors(model: bytes) -> "tuple[np.ndarray, np.ndarray]":
    graph = compile_model(model, "model", "net").graph
    inputs = np.random.default_rng(1).integers(-128, 128, (12, WINDOW, CHANNELS)).astype(np.int8)
    shape = graph.inputs[0].shape
    return inputs, np.stack([Oracle(graph).run(window.reshape(shape))[0].reshape(-1) for window in inputs])


def built(folder: Path, hop: int, *, input_in_arena: bool) -> "tuple[Path, dict[str, bytes]]":
    model = conv_model(WINDOW, CHANNELS)
    program = compile_model(model, "model", "net", hop=hop, input_in_arena=input_in_arena)
    files = selftest_files(program, model, *vectors(model))
    assert set(files) == {"net_selftest.h", "net_selftest.c"}
    texts = {name: text.encode() for name, text in program.files.items()} | files | {"main.c": MAIN.encode()}
    folder.mkdir(exist_ok=True)
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    flags = ("-std=c99", "-pedantic", *SANITIZERS)
    return compile_c(folder, ["main.c", "net.c", "net_selftest.c"], "selftest", flags, GCC), files


def answer(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("input_in_arena", [False, True])
@pytest.mark.parametrize("hop", [2, 8, 12, 28])
def test_it_passes_again_and_again(hop: int, input_in_arena: bool, tmp_path: Path) -> None:
    assert answer(built(tmp_path, hop, input_in_arena=input_in_arena)[0]) == "0 0\n"


def test_vectors_are_those_of_whole_windows() -> None:
    model = conv_model(WINDOW, CHANNELS)
    inputs, outputs = vectors(model)
    whole = choose_golden(compile_model(model, "model", "net"), inputs, outputs)
    slid = choose_golden(compile_model(model, "model", "net", hop=12), inputs, outputs)
    assert slid.rows == whole.rows
    np.testing.assert_array_equal(slid.inputs, whole.inputs)
    np.testing.assert_array_equal(slid.outputs, whole.outputs)


def test_outputs_of_others_are_refused() -> None:
    model = conv_model(WINDOW, CHANNELS)
    program = compile_model(model, "model", "net", hop=12)
    inputs, outputs = vectors(model)
    with pytest.raises(ModelError, match="self-test: window 0 gives other bytes"):
        choose_golden(program, inputs, outputs ^ 1)
    with pytest.raises(ModelError, match="expected 120 values"):
        choose_golden(program, inputs[:, :12], outputs)


@pytest.mark.skipif(CLANG_FORMAT is None, reason="clang-format is not installed")
def test_it_is_formatted(tmp_path: Path) -> None:
    _, files = built(tmp_path, 12, input_in_arena=True)
    shutil.copy(Path(__file__).parents[3] / ".clang-format", tmp_path)
    made = subprocess.run([str(CLANG_FORMAT), "net_selftest.h"], cwd=tmp_path, capture_output=True, check=True)
    assert made.stdout == files["net_selftest.h"]
