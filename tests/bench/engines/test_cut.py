"""Cut networks against the inside of the whole one: tensors read from an interpreter, and the compiler's arithmetic."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.engines.cut import RunsAnyModel, cut_after, needed_ops
from edgecnn_bench.engines.interpreter import open_interpreter
from edgecnn_bench.engines.keras import KerasEngine
from edgecnn_bench.engines.litert import InterpreterEngine
from edgecnn_bench.engines.tflite_runtime import TFLITE_RUNTIME_ENGINES
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.compiler.lowering.lower import lower_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.flatbuffer import Buffer
from edgecnn_firmware.tflite.model import Operator, Subgraph
from edgecnn_firmware.tflite.reader import read_model
from edgecnn_firmware.tflite.schema import ModelField, SubGraphField

REFERENCE = InterpreterEngine("litert-reference", "", kernels="reference")
MODELS = (
    *("ds_b1", "dsx_b1", "ecg_b1", "har_b1", "tcn_b1", "thirdparty/nanguoyu__Magic_Wand_Data__quantized_model"),
    "thirdparty/OHF-Voice__pymicro-wakeword__alexa",
)
STATEFUL = MODELS[-1:]
"""Whose variables are written behind some cuts, so that only the first call agrees."""
WINDOWS = 3


def int8_ops(graph: Subgraph) -> list[Operator]:
    return [op for op in graph.operators if op.outputs and graph.tensors[op.outputs[0]].type == "INT8"]


def random_inputs(model: bytes) -> np.ndarray:
    graph = read_model(model, "model").main
    shape = (WINDOWS, *graph.tensors[graph.inputs[0]].shape[1:])
    return np.random.default_rng(2).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("stem", MODELS)
def test_a_cut_network_gives_what_the_whole_one_holds_there(shared_models: Path, stem: str) -> None:
    model = (shared_models / f"{stem}.tflite").read_bytes()
    graph, inputs = read_model(model, stem).main, random_inputs(model)[: 1 if stem in STATEFUL else WINDOWS]
    whole = open_interpreter(model, "reference", keep_tensors=True)
    seen = []
    for window in inputs:
        whole.set_tensor(graph.inputs[0], window[np.newaxis])
        whole.invoke()
        seen.append({op.index: whole.get_tensor(op.outputs[0]).reshape(-1).copy() for op in int8_ops(graph)})
    for op in int8_ops(graph):
        cut = cut_after(model, op.index)
        assert len(cut) == len(model)
        found = REFERENCE.run_model(cut, inputs)
        assert np.array_equal(found, [window[op.index] for window in seen]), op


@pytest.mark.parametrize("stem", ["ecg_b1", "har_b1"])
def test_the_compiler_takes_cut_networks(shared_models: Path, stem: str) -> None:
    model = (shared_models / f"{stem}.tflite").read_bytes()
    inputs = random_inputs(model)
    for op in read_model(model, stem).main.operators[1::2]:
        cut = cut_after(model, op.index)
        oracle = Oracle(lower_model(read_model(cut, stem), "litert"))
        found = np.array([oracle.run(window)[0].reshape(-1) for window in inputs])
        assert np.array_equal(found, REFERENCE.run_model(cut, inputs)), op


def test_branches_that_do_not_lead_there_are_left_out(shared_models: Path) -> None:
    model = (shared_models / "ecg_b1.tflite").read_bytes()
    graph = read_model(model, "ecg").main
    for op in graph.operators:
        kept = needed_ops(graph, op.index)
        cut = read_model(cut_after(model, op.index), "cut").main
        assert kept[-1] == op.index
        assert [graph.operators[number].outputs for number in kept] == [found.outputs for found in cut.operators]
        written = {index for found in cut.operators for index in found.outputs}
        read = {index for found in cut.operators for index in found.inputs}
        assert written - read == set(op.outputs), "only the output is read by no op"


def test_cutting_refuses_what_is_not_there(shared_models: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    ops = len(read_model(model, "har").main.operators)
    for number in (-1, ops):
        with pytest.raises(ModelError, match=f"har.tflite: it has no op #{number} to cut after; its ops are #0 to"):
            cut_after(model, number, "har.tflite")


def test_a_file_whose_parts_share_bytes_is_refused(shared_models: Path) -> None:
    model = bytearray((shared_models / "har_b1.tflite").read_bytes())
    main = Buffer(bytes(model), "har").root().tables(ModelField.SUBGRAPHS, "subgraphs", 1)[0]
    _, inputs = main.place(SubGraphField.INPUTS, 4)
    field = main._field(SubGraphField.OUTPUTS, 4)
    model[field : field + 4] = (inputs - 4 - field).to_bytes(4, "little")
    assert read_model(bytes(model), "har").main.outputs == (0,), "the file is still whole"
    with pytest.raises(ModelError, match=r"har: its parts share bytes, so that it cannot be cut in place after op #2"):
        cut_after(bytes(model), 2, "har")


def test_names_of_outputs_that_are_gone_are_dropped(tiny_bundle: Path) -> None:
    model = read_bundle(tiny_bundle).model_bytes
    assert open_interpreter(model, "reference").get_signature_list()
    assert open_interpreter(cut_after(model, 1), "reference").get_signature_list() == {}


def test_damaged_files_are_refused_or_cut(shared_models: Path) -> None:
    model = (shared_models / "har_b1.tflite").read_bytes()
    choice = np.random.default_rng(4)
    refused = 0
    for _ in range(200):
        damaged = bytearray(model)
        for _ in range(3):
            # Tables lie at both ends of the file, weights between them.
            at = int(choice.choice([choice.integers(400), len(model) - 1 - choice.integers(4000)]))
            damaged[at] = int(choice.integers(256))
        try:
            assert len(cut_after(bytes(damaged), 4)) == len(model)
        except ModelError:
            refused += 1
    assert 0 < refused < 200


def test_engines_for_int8_files_run_any_model(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    vectors = bundle.vectors()
    for kernels in ("reference", "builtin", "default"):
        engine = InterpreterEngine("x", "", kernels=kernels)
        assert isinstance(engine, RunsAnyModel)
        loaded = engine.load(bundle).outputs(vectors.windows[:20], lambda _: None)
        assert np.array_equal(engine.run_model(bundle.model_bytes, vectors.inputs[:20]), loaded.raw)
    assert all(isinstance(engine, RunsAnyModel) for engine in TFLITE_RUNTIME_ENGINES)
    assert not isinstance(KerasEngine(), RunsAnyModel)


def test_inputs_of_another_shape_are_refused(tiny_bundle: Path) -> None:
    model = read_bundle(tiny_bundle).model_bytes
    with pytest.raises(ModelError, match=r"the model's input is int8 \(1, 32, 2\)"):
        REFERENCE.run_model(model, np.zeros((2, 31, 2), np.int8))
