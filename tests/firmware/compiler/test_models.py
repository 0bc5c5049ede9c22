"""Whole networks of this toolkit and of others: every byte equals LiteRT's reference kernels, or a true refusal."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model, prefix_of
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from .native import Native
from .networks import Reference, random_int8

OURS = ("har_b1", "hars_b1", "ecg_b1", "ds_b1", "dsx_b1", "tcn_b1")
OTHERS = (
    "OHF-Voice__pymicro-wakeword__alexa",
    "OHF-Voice__pymicro-wakeword__okay_nabu",
    "SiliconLabs__mltk__keyword_spotting_on_off_v3",
    "ashwinbyte__HAR_project__model_int8",
    "dlfno__tinyml-gesture-ble__model_quantized",
    "nanguoyu__Magic_Wand_Data__quantized_model",
    "nxp-appcodehub__ap-ml-state-monitor__model_cnn_quant",
    "nxp-appcodehub__ap-ml-state-monitor__model_lresnet_quant",
)
REFUSED = {
    "nanguoyu__Magic_Wand_Data__model": "op #1 CONV_2D .*: computes on float32; quantize the model to full int8",
    "raadsr15__TinyML-HAR__gesture_model_optimized": "op #1 CONV_2D .*: computes on float32; quantize the model to full int8",
}
TARGETS = ("portable", "armv7e-m", "armv8.1-m-mve", "aarch64", "x86-64-vnni")


def _load(folder: Path, name: str) -> bytes:
    return (folder / f"{name}.tflite").read_bytes()


def _inputs(reference: Reference, count: int) -> "list[np.ndarray]":
    detail = reference.interpreter.get_input_details()[0]
    rng = np.random.default_rng(7)
    if detail["dtype"] == np.int8:
        return [random_int8(rng, detail["shape"], kind) for kind in range(count)]
    return [rng.normal(0, 1 + kind % 7, detail["shape"]).astype(np.float32) for kind in range(count)]


def _logits(program: Program) -> int:
    """The storage that the last softmax or logistic reads, else the output's."""
    last = program.graph.ops[-1]
    return last.inputs[0].storage if last.label in ("SOFTMAX", "LOGISTIC") else last.output.storage


@pytest.mark.parametrize("name", OURS)
def test_10000_inputs_are_byte_equal(name: str, shared_models: Path, tmp_path: Path) -> None:
    model = _load(shared_models, name)
    reference = Reference(model)
    programs = [compile_model(model, name, prefix_of(name), target=target) for target in ("portable", "armv7e-m")]
    natives = [Native(program, tmp_path / program.target, ("-O2", "-DEDGECNN_NO_SIMD")) for program in programs]
    for window in _inputs(reference, 10_000):
        wanted = reference.run(window)[0]
        for native in natives:
            assert np.array_equal(native.run(window)[0], wanted)


@pytest.mark.parametrize("name", OURS)
def test_every_intermediate_value_is_byte_equal(name: str, shared_models: Path) -> None:
    model = _load(shared_models, name)
    reference = Reference(model)
    program = compile_model(model, name, prefix_of(name))
    oracle = Oracle(program.graph)
    seen: set[int] = set()

    def compare(op, made) -> None:
        seen.add(op.output.storage)
        assert np.array_equal(made.ravel(), reference.tensor(op.output.storage).ravel()), op.label

    for window in _inputs(reference, 200):
        reference.run(window)
        oracle.run(window, watch=compare)
    assert _logits(program) in seen


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", OURS + OTHERS)
def test_every_target_is_byte_equal(name: str, target: str, shared_models: Path, tmp_path: Path) -> None:
    folder = shared_models if name in OURS else shared_models / "thirdparty"
    model = _load(folder, name)
    reference = Reference(model)
    program = compile_model(model, name, prefix_of(name), target=target)
    native, oracle = (
        Native(program, tmp_path, ("-O1", "-DEDGECNN_NO_SIMD", "-DEDGECNN_NO_INLINE")),
        Oracle(program.graph),
    )
    # State lives on from call to call in all three.
    for window in _inputs(reference, 60):
        wanted = reference.run(window)[0].ravel()
        assert np.array_equal(oracle.run(window)[0].ravel(), wanted)
        assert np.array_equal(native.run(window)[0].ravel(), wanted)


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_not_int8_is_refused_with_the_reason(name: str, shared_models: Path) -> None:
    with pytest.raises(ModelError, match=REFUSED[name]):
        compile_model(_load(shared_models / "thirdparty", name), name, "net")


def test_tflm_rounding_differs_where_tflite_micro_differs(shared_models: Path) -> None:
    micro = pytest.importorskip("tflite_micro", reason="TFLite Micro's interpreter is not installed")
    for name in ("har_b1", "dsx_b1", "tcn_b1"):
        model = _load(shared_models, name)
        interpreter = micro.runtime.Interpreter.from_bytes(model)
        oracle = Oracle(compile_model(model, name, "net", profile="tflm").graph)
        for window in _inputs(Reference(model), 400):
            interpreter.set_input(window, 0)
            interpreter.invoke()
            assert np.array_equal(oracle.run(window)[0].ravel(), interpreter.get_output(0).ravel()), name


def test_the_same_model_gives_the_same_files(shared_models: Path) -> None:
    model = _load(shared_models, "tcn_b1")
    assert compile_model(model, "a", "net").files == compile_model(model, "b", "net").files
