"""The process that measures the arena: its figure beside the interpreter's own record, and what it must not run."""

import re
import subprocess
import sys

import pytest

from edgecnn_firmware.arena import STEP_BYTES, measure_arena
from edgecnn_firmware.card import ArenaCard

from .models import dense_model, tiny_model

RECORD = """
import sys
from tflite_micro.python.tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=1 << 24)
interpreter.invoke()
interpreter.print_allocations()
"""


@pytest.fixture(name="dense_model")
def _dense_model():
    return dense_model()


@pytest.fixture
def micro():
    return pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")


@pytest.mark.parametrize("name", ["har_b1", "tcn_b1", "thirdparty/OHF-Voice__pymicro-wakeword__alexa"])
def test_the_arena_is_what_the_interpreter_records(micro, shared_models, name):
    model = (shared_models / f"{name}.tflite").read_bytes()
    measured = measure_arena(model)
    assert isinstance(measured, ArenaCard)
    assert measured.measured_bytes % STEP_BYTES == 0
    assert (measured.word_bits, measured.kernels) == (64, "reference")
    assert re.fullmatch(r"tflite-micro \S+", measured.runtime)
    said = subprocess.run([sys.executable, "-c", RECORD], input=model, capture_output=True, check=True).stderr
    recorded = re.search(rb"Arena allocation total (\d+) bytes", said)
    assert recorded
    # The record has what stays; setting up takes some more for a while, where the middle of the arena is narrow.
    assert 0 <= measured.measured_bytes - int(recorded[1]) < 512


def test_an_op_that_tflite_micro_does_not_have_is_named(micro):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = tiny_model(
        schema,
        ops=[("GELU", [0], [1], schema.GeluOptionsT())],
        tensors=[{"type": "INT8", "shape": [1, 4], "scale": [0.1], "zero_point": [0]}] * 2,
        inputs=[0],
        outputs=[1],
    )
    said = measure_arena(model)
    assert isinstance(said, str)
    assert re.match(r"not measured: TFLite Micro cannot run this model \(.*GELU.*\)", said)


def test_a_module_in_the_working_directory_is_not_run(micro, dense_model, tmp_path, monkeypatch):
    (tmp_path / "contextlib.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert isinstance(measure_arena(dense_model), ArenaCard)
