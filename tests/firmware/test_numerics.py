"""Every number from a window to a label, against exact arithmetic and LiteRT's reference kernels."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from edgecnn_firmware import numerics
from edgecnn_firmware.card import NormalizationCard, TensorQuantization
from edgecnn_firmware.errors import DataError

Float32 = npt.NDArray[np.float32]

PAIRS = [
    (0.5, -3),
    (1.0, 0),
    (0.007843137718737125, -1),
    (0.0235294122248888, 127),
    (3.1415927410125732, -128),
    (1.1754943508222875e-38, 5),
    (1e30, 17),
]
scales = st.floats(np.float32(1e-30), np.float32(1e30), width=32)
quantizations = st.builds(TensorQuantization, scale=scales, zero_point=st.integers(-128, 127))
reals = nps.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=False))


def hard_values(scale: float) -> Float32:
    """Values around every rounding boundary in range and beyond, random ones, and zeros of both signs."""
    steps = np.arange(-600, 600, dtype=np.float64) / 2
    with np.errstate(over="ignore", under="ignore"):
        exact = (steps * scale).astype(np.float32)
        near = [np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))]
        spread = (np.random.default_rng(1).normal(0, 90, 4000) * scale).astype(np.float32)
    values = np.concatenate([exact, *near, spread, np.float32([0.0, -0.0])])
    return values[np.isfinite(values)]


@pytest.fixture(scope="module")
def quantize_op(schema: Any, pack: Callable[[Any], bytes]) -> Callable[[Float32, float, int], npt.NDArray[np.int8]]:
    """Run TFLite's QUANTIZE, float32 to int8, with its reference kernel."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")

    def run(values: Float32, scale: float, zero_point: int) -> npt.NDArray[np.int8]:
        model, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero_point]
        graph.tensors = [schema.TensorT(), schema.TensorT()]
        for tensor, name, kind in zip(graph.tensors, ("in", "out"), ("FLOAT32", "INT8"), strict=True):
            tensor.name, tensor.shape, tensor.type = name, [len(values)], getattr(schema.TensorType, kind)
        graph.tensors[1].quantization = quantization
        graph.inputs, graph.outputs, graph.operators = [0], [1], [op]
        op.inputs, op.outputs = [0], [1]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
        engine = interpreter.Interpreter(
            model_content=pack(model), experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF
        )
        engine.allocate_tensors()
        engine.set_tensor(0, values)
        engine.invoke()
        found: npt.NDArray[np.int8] = engine.get_tensor(1)
        return found

    return run


@pytest.mark.parametrize(("scale", "zero_point"), PAIRS)
def test_quantize_equals_litert_wherever_its_cast_is_defined(quantize_op: Any, scale: float, zero_point: int) -> None:
    values = hard_values(scale)
    expected = quantize_op(values, scale, zero_point)
    found = numerics.quantize(values, TensorQuantization(scale=scale, zero_point=zero_point))
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 100


def test_quantize_equals_litert_on_random_bit_patterns(quantize_op: Any) -> None:
    values = np.random.default_rng(2).integers(0, 1 << 32, 50_000, dtype=np.uint32).view(np.float32)
    # LiteRT casts the rounded quotient to int32, which C does not define beyond int32.
    values = values[np.isfinite(values) & (np.abs(values) < 1e9 * 0.02)]
    found = numerics.quantize(values, TensorQuantization(scale=0.02, zero_point=9))
    np.testing.assert_array_equal(found, quantize_op(values, 0.02, 9))


@given(reals, quantizations)
def test_quantize_is_the_exact_definition(values: Float32, quantization: TensorQuantization) -> None:
    found = numerics.quantize(values, quantization)
    with np.errstate(over="ignore", under="ignore"):
        quotients = values / np.float32(quantization.scale)
    for quotient, q in zip(quotients, found, strict=True):
        if np.isinf(quotient):
            expected = 127 if quotient > 0 else -128
        else:
            exact = Fraction(float(quotient))
            away = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
            expected = min(127, max(-128, away + quantization.zero_point))
        assert q == expected


@pytest.mark.parametrize("zero_point", [-128, -3, 0, 127])
def test_values_far_outside_saturate(zero_point: int) -> None:
    values = np.float32([-np.inf, -3.4e38, -1e10, 1e10, 3.4e38, np.inf])
    found = numerics.quantize(values, TensorQuantization(scale=1e-3, zero_point=zero_point))
    assert found.tolist() == [-128, -128, -128, 127, 127, 127]


def test_a_nan_is_named_by_its_place() -> None:
    values = np.zeros((2, 3), np.float32)
    values[1, 2] = np.nan
    with pytest.raises(DataError, match=r"\[1, 2\] is NaN"):
        numerics.quantize(values, TensorQuantization(scale=1.0, zero_point=0))


def round_to_float32(exact: Fraction) -> np.float32:
    """The nearest float32, ties to even; exact because a neighbor is chosen by comparing fractions."""
    guess = np.float32(float(exact))
    with np.errstate(over="ignore"):
        around = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    finite = [value for value in around if np.isfinite(value)]
    return min(finite, key=lambda value: (abs(Fraction(float(value)) - exact), value.view(np.uint32) & 1))


moderate = st.floats(np.float32(-1e15), np.float32(1e15), width=32, allow_subnormal=False)


@given(st.lists(moderate, min_size=1, max_size=8), moderate, moderate)
def test_normalize_rounds_each_operation_once(values: list[float], offset: float, gain: float) -> None:
    card = NormalizationCard(method="constants", offset=(offset,), gain=(gain,))
    found = numerics.normalize(np.array(values, np.float32)[:, None], card)[:, 0]
    for value, normalized in zip(values, found, strict=True):
        centered = round_to_float32(Fraction(value) - Fraction(offset))
        assert normalized == round_to_float32(Fraction(float(centered)) * Fraction(gain))


def test_normalize_goes_by_channel_and_leaves_its_input_alone() -> None:
    windows = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    before = windows.copy()
    card = NormalizationCard(method="standard", offset=(1.0, 2.0), gain=(10.0, 100.0))
    found = numerics.normalize(windows, card)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., 0], (before[..., 0] - 1) * 10)
    np.testing.assert_array_equal(found[..., 1], (before[..., 1] - 2) * 100)
    np.testing.assert_array_equal(windows, before)


def test_normalize_lets_huge_values_become_infinite() -> None:
    card = NormalizationCard(method="constants", offset=(-3e38,), gain=(2.0,))
    assert numerics.normalize(np.float32([[3e38]]), card).tolist() == [[np.inf]]


@given(st.integers(-128, 127), quantizations)
def test_dequantize_rounds_once(value: int, quantization: TensorQuantization) -> None:
    found = numerics.dequantize(np.int8([value]), quantization)[0]
    exact = Fraction(quantization.scale) * (value - quantization.zero_point)
    assert found == round_to_float32(exact)


@given(st.integers(-128, 127), st.floats(np.float32(2**-10), np.float32(0.5), width=32), st.integers(-128, 127))
def test_what_was_dequantized_quantizes_back(value: int, scale: float, zero_point: int) -> None:
    quantization = TensorQuantization(scale=scale, zero_point=zero_point)
    real = numerics.dequantize(np.int8([value]), quantization)
    assert numerics.quantize(real, quantization)[0] == value


def test_probabilities_stay_within_0_and_1() -> None:
    every = np.arange(-128, 128).astype(np.int8)[:, None]
    found = numerics.probabilities(every, TensorQuantization(scale=0.01, zero_point=-100))
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (0, 1)
    assert np.all(np.diff(found[:, 0]) >= 0)


def test_softmax_takes_the_first_largest() -> None:
    outputs = np.int8([[3, 7, 7], [-128, -128, -128], [1, 2, 3], [127, -128, 127]])
    assert numerics.decide(outputs, "softmax").tolist() == [1, 0, 2, 0]
    assert numerics.decide(outputs.astype(np.float32), "softmax").tolist() == [1, 0, 2, 0]


def test_sigmoid_needs_more_than_a_half() -> None:
    assert numerics.decide(np.float32([[0.5], [np.nextafter(np.float32(0.5), 1)], [0.2]]), "sigmoid").tolist() == [
        0,
        1,
        0,
    ]
    quantization = TensorQuantization(scale=1 / 256, zero_point=-128)
    assert numerics.decide(np.int8([[0], [1], [-128], [127]]), "sigmoid", quantization).tolist() == [0, 1, 0, 1]


def test_sigmoid_on_int8_needs_the_quantization() -> None:
    with pytest.raises(ValueError, match="need their quantization"):
        numerics.decide(np.int8([[1]]), "sigmoid")


def test_no_rows_give_no_labels() -> None:
    assert numerics.decide(np.zeros((0, 3), np.int8), "softmax").shape == (0,)
