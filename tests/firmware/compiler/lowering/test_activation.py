"""Activations, softmax and float ends from file to C: LiteRT, the numpy oracle and the compiled C give the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.card import TensorQuantization
from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.numerics import quantize

from ..arithmetic.test_log_softmax import log_softmax_network
from ..batch import run_batch
from ..networks import NetworkWriter, Reference
from ..one_op import EVERY, f32, pairs, scales, unary_network, zero_points

Case = tuple[bytes, np.ndarray]
"""A model and its inputs, `(calls, *shape)`."""


def check_cases(cases: list[Case], folder: Path, *, bounded: bool = True) -> None:
    """Each case gives the reference's bytes in numpy and, under sanitizers, in C."""
    programs: list[Program] = []
    wanted = []
    for number, (model, inputs) in enumerate(cases):
        program = compile_model(model, f"case {number}", f"net{number}")
        reference, oracle = Reference(model), Oracle(program.graph)
        outputs = [oracle.run(one)[0] for one in inputs]
        if bounded:
            for one, output in zip(inputs, outputs, strict=True):
                assert output.tobytes() == reference.run(one)[0].tobytes(), f"case {number}"
        programs.append(program)
        wanted.append(np.stack([output.ravel().view(np.uint8) for output in outputs]))
    found = run_batch(programs, [inputs for _, inputs in cases], folder)
    for number, (ours, expected) in enumerate(zip(found, wanted, strict=True)):
        assert np.array_equal(ours, expected), f"case {number}"


def every_byte(name: str, source: Affine, target: Affine, kinds=("INT8", "INT8"), **options: Any) -> Case:
    """One op on all 256 inputs."""
    return unary_network(name, source, target, kinds, **options), EVERY[kinds[0]][None]


def test_tables_in_c(tmp_path: Path) -> None:
    fine, coarse = Affine(f32(0.021), -7), Affine(f32(0.043), -101)
    positive = Affine(f32(0.03), -128)
    cases = [every_byte(name, fine, coarse) for name in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")]
    cases += [every_byte(name, fine, coarse) for name in ("HARD_SWISH", "TANH", "EXP", "LOG", "ABS", "NEG")]
    cases += [every_byte(name, positive, coarse) for name in ("SQRT", "RSQRT")]
    cases += [every_byte("GELU", fine, coarse, approximate=flag) for flag in (False, True)]
    cases += [every_byte("LEAKY_RELU", fine, coarse, alpha=0.3)]
    cases += [every_byte("LOGISTIC", fine, Affine(1 / 256, zero_point)) for zero_point in (-128, 3)]
    for source in ("INT8", "UINT8"):
        for target in ("INT8", "UINT8"):
            shifted = Affine(coarse.scale, coarse.zero_point + 128) if target == "UINT8" else coarse
            cases.append(every_byte("QUANTIZE", Affine(fine.scale, 21), shifted, (source, target)))
    check_cases(cases, tmp_path)


def test_softmax_in_c(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    cases = []
    for columns, scale, beta in ((1, 0.1, 1), (2, 0.09, 1), (6, 0.2, 1), (17, 1e-4, 1), (64, 3.0, 0.5), (511, 0.01, 1)):
        net = NetworkWriter()
        value, made = net.tensor((1, columns), f32(scale), 7), net.tensor((1, columns), 1 / 256, -128)
        net.op("SOFTMAX", [value], [made], beta=float(beta))
        inputs = rng.integers(-128, 128, (60, 1, columns))
        inputs[:20] = np.clip(rng.integers(-128, 128, (20, 1, 1)) + rng.integers(-4, 5, (20, 1, columns)), -128, 127)
        inputs[20], inputs[21], inputs[22, 0, 0] = 127, -128, 127
        cases.append((net.bytes([value], [made]), inputs.astype(np.int8)))
    check_cases(cases, tmp_path)


def test_log_softmax_in_c(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    cases = []
    for columns, scale in ((1, 0.1), (2, 0.09), (6, 0.2), (17, 1e-6), (64, 900.0), (4095, 0.01)):
        inputs = rng.integers(-128, 128, (40, 1, columns))
        inputs[:20] = np.clip(rng.integers(-128, 128, (20, 1, 1)) + rng.integers(-4, 5, (20, 1, columns)), -128, 127)
        inputs[20], inputs[21], inputs[22, 0, 0] = 127, -128, 127
        cases.append((log_softmax_network(columns, f32(scale), 7, 1), inputs.astype(np.int8)))
    check_cases(cases, tmp_path)


@pytest.mark.parametrize("scale", [1e-5, 0.02, 1.3, 900.0])
def test_float_ends_in_c(scale: float, tmp_path: Path) -> None:
    cases = []
    rng = np.random.default_rng(int(scale * 1e5))
    for kind, zero_point in (("INT8", -128), ("INT8", 5), ("UINT8", 255), ("UINT8", 120)):
        ties = np.float32(scale) * (rng.integers(-300, 300, 400) + 0.5).astype(np.float32)
        values = np.concatenate([ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))])
        values = np.append(values, np.float32([0, -0.0, 1e-40, -1e-40, scale * 0.49999997]))[None]
        net = NetworkWriter()
        value, made = net.tensor((1, 1205), kind="FLOAT32"), net.tensor((1, 1205), f32(scale), zero_point, kind=kind)
        net.op("QUANTIZE", [value], [made])
        cases.append((net.bytes([value], [made]), values[None]))
        cases.append((unary_network_to_float(kind, f32(scale), zero_point), EVERY[kind][None]))
    check_cases(cases, tmp_path)


def unary_network_to_float(kind: str, scale: float, zero_point: int) -> bytes:
    """One DEQUANTIZE."""
    net = NetworkWriter()
    value = net.tensor((1, 1, 256, 1), scale, zero_point, kind=kind)
    made = net.tensor((1, 1, 256, 1), kind="FLOAT32")
    net.op("DEQUANTIZE", [value], [made])
    return net.bytes([value], [made])


def test_floats_out_of_range_saturate_and_nan_is_zero(tmp_path: Path) -> None:
    net = NetworkWriter()
    value, made = net.tensor((1, 6), kind="FLOAT32"), net.tensor((1, 6), f32(0.1), 9)
    net.op("QUANTIZE", [value], [made])
    inputs = np.float32([[np.inf, -np.inf, 3e38, -3e38, 1e9, np.nan]])
    model = net.bytes([value], [made])
    program = compile_model(model, "model", "net")
    expected = np.array([[127, -128, 127, -128, 127, 9]], np.int8)
    assert np.array_equal(run_batch([program], [inputs[None]], tmp_path)[0].view(np.int8), expected)
    assert np.array_equal(Oracle(program.graph).run(inputs)[0], expected)
    finite = quantize(inputs[:, :5], TensorQuantization(scale=f32(0.1), zero_point=9))
    assert np.array_equal(finite, expected[:, :5])


def prelu_network(pair: tuple[Affine, Affine], alpha: "np.ndarray", slopes: Affine, rows: int = 256) -> bytes:
    """PRELU of `(1, 1, rows, channels)`."""
    net = NetworkWriter()
    value = net.tensor((1, 1, rows, alpha.size), pair[0].scale, pair[0].zero_point)
    made = net.tensor((1, 1, rows, alpha.size), pair[1].scale, pair[1].zero_point)
    factors = net.const(alpha.reshape(1, 1, -1), slopes.scale, slopes.zero_point)
    net.op("PRELU", [value, factors], [made])
    return net.bytes([value], [made])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_prelu_equals_litert(data: st.DataObject) -> None:
    factor = data.draw(st.integers(1, 127))
    slopes = Affine(data.draw(scales(-3, 0)), data.draw(zero_points()))
    # The quotient of the scales puts outputs on ties above the zero point, or below it for the first channel.
    pair = data.draw(pairs(data.draw(st.sampled_from([1.0, slopes.scale * factor]))))
    first = slopes.zero_point + factor if slopes.zero_point + factor < 128 else slopes.zero_point - factor
    alpha = np.array([first, *data.draw(st.lists(st.integers(-128, 127), min_size=3, max_size=3))], np.int8)
    model = prelu_network(pair, alpha, slopes)
    inputs = np.repeat(EVERY["INT8"], 4, axis=3)
    ours = Oracle(compile_model(model, "model", "net").graph).run(inputs)[0]
    assert np.array_equal(ours, Reference(model).run(inputs)[0])


def test_prelu_in_c(tmp_path: Path) -> None:
    inputs = np.repeat(EVERY["INT8"], 5, axis=3)[None]
    alpha = np.array([-128, -3, 0, 50, 127], np.int8)
    quantizations = [
        ((Affine(f32(0.02), -5), Affine(f32(0.03), 10)), Affine(f32(0.005), 0)),
        ((Affine(f32(0.3), 127), Affine(f32(0.01), -128)), Affine(f32(0.9), -128)),
        ((Affine(f32(1e-4), -128), Affine(f32(2.0), 127)), Affine(f32(1e-3), 127)),
    ]
    check_cases([(prelu_network(pair, alpha, slopes), inputs) for pair, slopes in quantizations], tmp_path)


def index_network(name: str, output: str, axis: int = -1, shape: tuple[int, ...] = (1, 9, 7)) -> bytes:
    """ARG_MAX or ARG_MIN."""
    net = NetworkWriter()
    value, made = net.tensor(shape, 0.1, 3), net.tensor(shape[:-1], kind=output)
    codes = {"INT32": 2, "INT64": 4}
    net.op(name, [value, net.const(np.array([axis], np.int32))], [made], outputType=codes[output])
    return net.bytes([value], [made])


def test_indices_in_c(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    # Few values make many ties; the ends show what a complement does to them.
    few = rng.integers(-1, 2, (6, 1, 9, 7)).astype(np.int8)
    ends = rng.choice(np.array([-128, -127, 126, 127], np.int8), (6, 1, 9, 7))
    inputs = np.concatenate([few, ends])
    cases = [
        (index_network(name, output, axis), inputs)
        for name in ("ARG_MAX", "ARG_MIN")
        for output in ("INT32", "INT64")
        for axis in (-1, 2)
    ]
    check_cases(cases, tmp_path)


ORDINARY = Affine(f32(0.02), 0)
PROBABILITIES = Affine(1 / 256, -128)


def softmax_model(columns: int = 4, scale: float = 0.1, beta: float = 1.0, output: Affine = PROBABILITIES) -> bytes:
    """One SOFTMAX."""
    net = NetworkWriter()
    value, made = net.tensor((1, columns), scale, 0), net.tensor((1, columns), output.scale, output.zero_point)
    net.op("SOFTMAX", [value], [made], beta=beta)
    return net.bytes([value], [made])


REFUSED = {
    "softmax of 512 classes": (softmax_model(512), "512 classes; the reference takes up to 511"),
    "softmax of negative beta": (softmax_model(beta=-1.0), "beta -1.0; expected one above 0"),
    "softmax of tiny scale": (softmax_model(scale=1e-9), "is too small for its fixed-point exponent"),
    "log-softmax of 4096 classes": (
        log_softmax_network(4096, 0.1, 0, 1),
        "4096 classes; the reference takes up to 4095",
    ),
    "log-softmax of tiny scale": (log_softmax_network(4, 1e-9, 0, 1), "does not fit its fixed-point exponent"),
    "softmax output": (softmax_model(output=ORDINARY), "TFLite fixes them to 0.00390625 and -128"),
    "logistic output": (unary_network("LOGISTIC", ORDINARY, ORDINARY), "TFLite fixes them to 0.00390625 and 0"),
    "hard swish": (
        unary_network("HARD_SWISH", Affine(9.0, 0), Affine(f32(0.01), 0)),
        "over 128 times its output scale",
    ),
    "sqrt of negative": (unary_network("SQRT", ORDINARY, ORDINARY), "zero point 0 and can be negative; expected -128"),
    "rsqrt of negative": (
        unary_network("RSQRT", ORDINARY, ORDINARY),
        "zero point 0 and can be negative; expected -128",
    ),
    "relu overflow": (unary_network("RELU", Affine(900.0, 0), Affine(f32(1e-5), 0)), "the reference overflows int32"),
    "quantize overflow": (unary_network("QUANTIZE", Affine(900.0, 0), Affine(f32(1e-5), 0)), "overflows int32"),
    "exp overflow": (unary_network("EXP", Affine(1.0, -128), Affine(1.0, 0)), "where the reference is undefined"),
    "prelu overflow": (
        prelu_network((Affine(900.0, 0), Affine(f32(1e-3), 0)), np.array([5], np.int8), Affine(900.0, 0)),
        "the reference overflows int32",
    ),
    "arg max along time": (index_network("ARG_MAX", "INT32", 1), r"axis 1 of shape \(1, 9, 7\); expected the last"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_refusals_name_the_reason(what: str) -> None:
    model, why = REFUSED[what]
    with pytest.raises(ModelError, match=why):
        compile_model(model, "model", "net")


@pytest.mark.parametrize("name", ["ABS", "NEG", "EXP", "LOG", "GELU", "RELU_N1_TO_1"])
def test_ops_without_tflite_micro_rounding_are_refused_there(name: str) -> None:
    model = unary_network(name, ORDINARY, ORDINARY)
    compile_model(model, "model", "net")
    with pytest.raises(ModelError, match="compiled with LiteRT's rounding only; expected rounding litert"):
        compile_model(model, "model", "net", profile="tflm")
