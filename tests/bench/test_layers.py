"""Noise of each op against cut networks run one by one; the first difference against engines with a fault put in."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.alignment import align_ops
from edgecnn_bench.engines.cut import cut_after
from edgecnn_bench.engines.interpreter import open_interpreter
from edgecnn_bench.engines.litert import InterpreterEngine
from edgecnn_bench.engines.protocol import EngineRun, RunOutputs
from edgecnn_bench.layers import FLOAT_MODEL, _Sums, differing_windows, first_difference, layer_noise
from edgecnn_bench.results import LayerNoise
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.card import TensorQuantization
from edgecnn_firmware.errors import EdgeCnnError
from edgecnn_firmware.numerics import normalize
from edgecnn_firmware.tflite.model import OpCode, Operator, Quantization, Subgraph, Tensor
from edgecnn_firmware.tflite.options import Activation, Conv2DOptions, Padding
from edgecnn_firmware.tflite.reader import read_model

REFERENCE = InterpreterEngine("litert-reference", "", kernels="reference")


def noise(bundle: Bundle, windows: np.ndarray, **settings: int) -> tuple[LayerNoise, ...]:
    found = layer_noise(bundle, windows, **settings)
    assert not isinstance(found, str)
    return found


def test_noise_is_that_of_networks_cut_at_every_op(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    vectors = bundle.vectors()
    found = noise(bundle, vectors.windows[:10])
    int8, real = bundle.model_bytes, bundle.read(FLOAT_MODEL, 1 << 20)
    graph, names = read_model(int8, "int8").main, {}
    for op in read_model(real, "float").main.operators:
        names.setdefault(op.name, []).append(op.index)
    assert [row.index for row in found] == [op.index for op in graph.operators]
    normalized = normalize(vectors.windows[:10], bundle.card.normalization)
    for row in found:
        tensor = graph.tensors[graph.operators[row.index].outputs[0]]
        quantized = REFERENCE.run_model(cut_after(int8, row.index), vectors.inputs[:10])
        interpreter = open_interpreter(cut_after(real, names[row.op].pop(0)), "reference")
        (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
        wanted = []
        for window in normalized:
            interpreter.set_tensor(into["index"], window[np.newaxis])
            interpreter.invoke()
            wanted.append(interpreter.get_tensor(out["index"]).reshape(-1))
        signal = np.array(wanted, np.float64)
        scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
        apart = signal - scale * (quantized.astype(np.float64) - zero_point)
        assert row.sqnr_db == pytest.approx(10 * np.log10(np.mean(signal**2) / np.mean(apart**2)), abs=1e-6)
        assert (row.name, row.windows) == (tensor.name, 10)
        assert 10 < row.sqnr_db < 80


def test_windows_are_spread_and_limited(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    windows = bundle.vectors().windows
    assert {row.windows for row in noise(bundle, windows)} == {64}
    assert noise(bundle, windows, most=30) == noise(bundle, windows[::3])


def test_reasons_for_no_noise(har_bundle: Path, tiny_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    assert layer_noise(bundle, bundle.vectors().windows) == "model_float32.tflite is not in the bundle"
    assert layer_noise(bundle, bundle.vectors().windows[:0]) == "there are no windows"


def test_sums_by_hand() -> None:
    total = _Sums(Quantization((0.5,), (-128,), 0))
    # In steps from -128: 2, 4 and 257, which int8 cannot hold; -0.4 of a step rounds to -128 and is not clipped.
    total.add(np.array([-126, -123, 127, -128], np.int8), np.array([1.0, 2.0, 128.5, -0.2], np.float32))
    assert (total.clipped, total.elements) == (1, 4)
    assert total.signal == pytest.approx(1 + 4 + 128.5**2 + 0.04)
    assert total.noise == pytest.approx(0 + 0.25 + 1.0 + 0.04)


def conv(activation: Activation) -> Conv2DOptions:
    return Conv2DOptions(Padding.SAME, 1, 1, activation, 1, 1)


def graph_of(kind: str, *ops: tuple[str, str, tuple[int, ...], Activation]) -> Subgraph:
    """A chain of ops: kind, name and shape of the output, fused activation."""
    quantization = Quantization((0.1,), (0,), 0) if kind == "INT8" else None
    tensors = [Tensor(0, "input", kind, (1, 8), (1, 8), quantization, False)]
    operators = []
    for index, (op, name, shape, activation) in enumerate(ops):
        type_ = {"QUANTIZE": "INT8", "DEQUANTIZE": "FLOAT32"}.get(op, kind)
        quantized = Quantization((0.1,), (0,), 0) if type_ == "INT8" else None
        tensors.append(Tensor(index + 1, name, type_, shape, shape, quantized, False))
        operators.append(Operator(index, OpCode(op, 1), (index,), (index + 1,), conv(activation)))
    return Subgraph(0, "main", tuple(tensors), (0,), (len(ops),), tuple(operators))


NONE, RELU = Activation.NONE, Activation.RELU


def aligned(int8: Subgraph, real: Subgraph) -> list[tuple[int, int]]:
    return [(one.index, other.index) for one, other in align_ops(int8, real)]


def test_conversions_at_the_ends_are_skipped() -> None:
    body = [("CONV_2D", "a", (1, 8), RELU), ("MAX_POOL_2D", "b", (1, 4), NONE), ("SOFTMAX", "c", (1, 4), NONE)]
    int8 = graph_of("INT8", ("QUANTIZE", "in", (1, 8), NONE), *body, ("DEQUANTIZE", "out", (1, 4), NONE))
    assert aligned(int8, graph_of("FLOAT32", *body)) == [(1, 0), (2, 1), (3, 2)]


def test_an_op_with_another_activation_or_shape_is_left_out() -> None:
    int8 = graph_of("INT8", ("CONV_2D", "a", (1, 8), RELU), ("CONV_2D", "b", (1, 6), NONE))
    real = graph_of("FLOAT32", ("CONV_2D", "c", (1, 8), NONE), ("CONV_2D", "d", (1, 5), NONE))
    assert aligned(int8, real) == []


def test_names_decide_between_ops_that_look_alike() -> None:
    int8 = graph_of("INT8", ("CONV_2D", "b", (1, 8), RELU))
    real = graph_of("FLOAT32", ("CONV_2D", "a", (1, 8), RELU), ("CONV_2D", "b", (1, 8), RELU))
    assert aligned(int8, real) == [(0, 1)]


def test_what_became_another_op_is_found_by_its_name() -> None:
    int8 = graph_of("INT8", ("CONV_2D", "a", (1, 8), RELU), ("FULLY_CONNECTED", "b", (1, 4), NONE))
    real = graph_of("FLOAT32", ("CONV_2D", "a", (1, 8), RELU), ("CONV_2D", "b", (1, 1, 4), NONE))
    assert aligned(int8, real) == [(0, 0), (1, 1)]
    twice = graph_of("FLOAT32", ("CONV_2D", "b", (1, 1, 4), NONE), ("CONV_2D", "b", (1, 1, 4), NONE))
    assert aligned(graph_of("INT8", ("FULLY_CONNECTED", "b", (1, 4), NONE)), twice) == []


@dataclass(frozen=True)
class Faulty:
    """The reference kernels, but `op`'s output is `by` more at every 10th element, and so are those that hang on it."""

    op: int
    whole: bytes
    by: int = 2

    def run_model(self, model: bytes, inputs: np.ndarray) -> np.ndarray:
        faulty = read_model(self.whole, "whole").main.operators[self.op].outputs[0]
        found = REFERENCE.run_model(model, inputs)
        if any(faulty in op.outputs for op in read_model(model, "cut").main.operators):
            found = found.copy()
            found[:, ::10] ^= self.by  # never the same, whatever the value
        return found


@pytest.mark.parametrize("op", [0, 3, 5])
def test_the_op_at_fault_is_found(har_bundle: Path, op: int) -> None:
    bundle = read_bundle(har_bundle)
    windows = bundle.vectors().windows[:4]
    found = first_difference(bundle, REFERENCE, Faulty(op, bundle.model_bytes), windows)
    graph = read_model(bundle.model_bytes, "har").main
    tensor = graph.tensors[graph.operators[op].outputs[0]]
    assert found is not None
    assert (found.index, found.op, found.name, found.windows) == (op, graph.operators[op].name, tensor.name, 4)
    assert (found.values, found.differing) == (4 * tensor.elements, 4 * -(-tensor.elements // 10))
    assert found.max_lsb == 2
    assert found.mean_lsb == pytest.approx(2 * found.differing / found.values)


def test_equal_engines_have_no_first_difference(har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    again = replace(REFERENCE, key="again")
    assert first_difference(bundle, REFERENCE, again, bundle.vectors().windows[:4]) is None
    assert first_difference(bundle, REFERENCE, Faulty(0, bundle.model_bytes), bundle.vectors().windows[:0]) is None


def test_engines_are_given_the_bundles_inputs(har_bundle: Path) -> None:
    seen = []

    class Looking:
        def run_model(self, model: bytes, inputs: np.ndarray) -> np.ndarray:
            seen.append(inputs)
            return REFERENCE.run_model(model, inputs)

    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    assert first_difference(bundle, REFERENCE, Looking(), vectors.windows[:3]) is None
    assert len(seen) == len(read_model(bundle.model_bytes, "har").main.operators)
    assert all(np.array_equal(inputs, vectors.inputs[:3]) for inputs in seen)


def test_outputs_of_another_shape_are_an_error(har_bundle: Path) -> None:
    class Short:
        def run_model(self, model: bytes, inputs: np.ndarray) -> np.ndarray:
            return REFERENCE.run_model(model, inputs)[:, 1:]

    bundle = read_bundle(har_bundle)
    with pytest.raises(EdgeCnnError, match=r"op #0 .*: outputs of shape"):
        first_difference(bundle, REFERENCE, Short(), bundle.vectors().windows[:1])


def test_windows_to_look_at_are_those_that_differ() -> None:
    def run(rows: list[list[int]]) -> EngineRun:
        raw = np.array(rows, np.int8)
        scale = TensorQuantization(scale=1 / 256, zero_point=-128)
        return EngineRun("x", RunOutputs(raw, raw.astype(np.float32), scale), raw.argmax(axis=1))

    one, other = run([[0, 1], [0, 1], [3, 1], [0, 1]]), run([[0, 1], [0, 2], [3, 1], [9, 1]])
    assert differing_windows(one, other).tolist() == [1, 3]
    assert differing_windows(one, other, most=1).tolist() == [1]
