"""Tables of elementwise ops against LiteRT and TFLite Micro, over all 256 inputs each."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic import float_tables, tables
from edgecnn_firmware.compiler.arithmetic.affine import Affine

from ..one_op import EVERY, affines, f32, pairs, reference_table, scales, unary_network, zero_points

EXAMPLES = 60


def compare(ours: Any, name: str, source: Affine, target: Affine, **options: Any) -> None:
    """Our table equals LiteRT's, and what we refuse it refuses."""
    wanted = reference_table(name, source, target, **options)
    if isinstance(wanted, str):
        with pytest.raises(ValueError, match="its input"):
            ours()
        return
    assert np.array_equal(ours(), wanted)


def compare_function(
    real: Callable[[float], float],
    ours: Callable[[], np.ndarray],
    name: str,
    pair: tuple[Affine, Affine],
    **options: Any,
) -> None:
    """Our table equals LiteRT's but, by one, where the real output lies so close to a tie that its math library decides.

    A float32 function is right to a few units in the last place, and not to the same ones in every C library.

    Args:
        real: the function in float64.
    """
    source, target = pair
    wanted = reference_table(name, source, target, **options)
    assert not isinstance(wanted, str)
    try:
        found = ours().astype(int)
    except ValueError as error:
        assert "where the reference is undefined" in str(error)
        return
    inputs = source.scale * (np.arange(-128, 128) - source.zero_point)
    exact = np.array([real(x) for x in inputs]) / target.scale
    # GELU is a product with the input: its error is of the input's size.
    size = np.abs(inputs) / target.scale if name == "GELU" else np.abs(exact)
    near_tie = np.abs(np.abs(exact) % 1 - 0.5) <= size * 2.0**-20
    assert np.array_equal(found[~near_tie], wanted[~near_tie])
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize("name", sorted(tables.RELU_BOUNDS))
@given(pairs())
@settings(max_examples=EXAMPLES, deadline=None)
def test_relu_equals_litert(name: str, pair: tuple[Affine, Affine]) -> None:
    compare(lambda: tables.relu_table(name, *pair, single=True), name, *pair)


@given(st.data())
@settings(max_examples=3 * EXAMPLES, deadline=None)
def test_leaky_relu_equals_litert(data: st.DataObject) -> None:
    alpha = f32(data.draw(st.one_of(st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0, 1.7]), st.floats(-2, 2))))
    pair = data.draw(pairs(max(abs(alpha), 0.001)))
    compare(lambda: tables.leaky_relu_table(alpha, *pair, single=True), "LEAKY_RELU", *pair, alpha=alpha)


@pytest.mark.parametrize("output", ["INT8", "UINT8"])
@pytest.mark.parametrize("source", ["INT8", "UINT8"])
@given(pairs())
@settings(max_examples=EXAMPLES, deadline=None)
def test_requantization_equals_litert(source: str, output: str, pair: tuple[Affine, Affine]) -> None:
    shifted = [
        Affine(affine.scale, affine.zero_point + 128 * (kind == "UINT8"))
        for affine, kind in zip(pair, (source, output), strict=True)
    ]
    wanted = reference_table("QUANTIZE", *shifted, (source, output))
    assert not isinstance(wanted, str)
    wide = tables.requantize_table(*shifted, from_uint8=source == "UINT8")
    low = 0 if output == "UINT8" else -128
    assert np.array_equal(np.clip(wide, low, low + 255), wanted)


@given(st.one_of(pairs(), st.tuples(affines(), affines())))
@settings(max_examples=4 * EXAMPLES, deadline=None)
def test_hard_swish_equals_litert(pair: tuple[Affine, Affine]) -> None:
    compare(lambda: tables.hard_swish_table(*pair), "HARD_SWISH", *pair)


@given(pairs(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_abs_and_neg_equal_litert(pair: tuple[Affine, Affine], same: bool) -> None:
    source, target = pair[0], Affine(pair[0].scale if same else pair[1].scale, pair[1].zero_point)
    compare(lambda: tables.abs_table(source, target), "ABS", source, target)
    compare(tables.negate_table, "NEG", source, target)


@given(scales(), st.floats(-2.5, 2), zero_points(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_roots_equal_litert(scale: float, power: float, zero_point: int, negative: bool) -> None:
    source = Affine(scale, -127 if negative else -128)
    target = Affine(f32(10**power / math.sqrt(scale)), zero_point)
    compare(lambda: tables.rsqrt_table(source, target), "RSQRT", source, target)
    target = Affine(f32(10**power * math.sqrt(scale)), zero_point)
    compare(lambda: float_tables.sqrt_table(source, target), "SQRT", source, target)


@given(affines(), zero_points())
@settings(max_examples=4 * EXAMPLES, deadline=None)
def test_logistic_equals_litert(source: Affine, zero_point: int) -> None:
    target = Affine(1 / 256, zero_point)
    compare_function(
        lambda x: 1 / (1 + math.exp(-x)) if x > -700 else 0.0,
        lambda: float_tables.logistic_table(source, target),
        "LOGISTIC",
        (source, target),
    )


@given(affines(), st.one_of(st.just(Affine(1 / 128, 0)), affines(-3, 0)))
@settings(max_examples=4 * EXAMPLES, deadline=None)
def test_tanh_equals_litert(source: Affine, target: Affine) -> None:
    compare_function(math.tanh, lambda: float_tables.tanh_table(source, target), "TANH", (source, target))


@given(affines(-4, -1.5), affines(-3, 3))
@settings(max_examples=EXAMPLES, deadline=None)
def test_exp_equals_litert(source: Affine, target: Affine) -> None:
    compare_function(math.exp, lambda: float_tables.exp_table(source, target), "EXP", (source, target))


@given(affines(), affines(-3, 1))
@settings(max_examples=EXAMPLES, deadline=None)
def test_log_equals_litert(source: Affine, target: Affine) -> None:
    least = (-128 - target.zero_point) * target.scale
    compare_function(
        lambda x: math.log(x) if x > 0 else least,
        lambda: float_tables.log_table(source, target),
        "LOG",
        (source, target),
    )


@pytest.mark.parametrize("approximate", [False, True])
@given(pairs())
@settings(max_examples=2 * EXAMPLES, deadline=None)
def test_gelu_equals_litert(approximate: bool, pair: tuple[Affine, Affine]) -> None:
    def real(x: float) -> float:
        if approximate:
            return 0.5 * x * (1 + math.tanh(0.7978845608 * (x + 0.044715 * x**3)))
        return 0.5 * x * math.erfc(-x * math.sqrt(0.5))

    table = functools.partial(float_tables.gelu_table, *pair, approximate=approximate)
    compare_function(real, table, "GELU", pair, approximate=approximate)


@pytest.mark.parametrize("scale", [0.0031301050912588835, 0.011, 0.02, 0.05, 0.3])
def test_logistic_and_tanh_at_the_scales_that_converters_write(scale: float) -> None:
    for zero_point in (-128, -5, 127):
        source = Affine(f32(scale), zero_point)
        logistic, tanh = Affine(1 / 256, -128), Affine(1 / 128, 0)
        assert np.array_equal(
            float_tables.logistic_table(source, logistic), reference_table("LOGISTIC", source, logistic)
        )
        assert np.array_equal(float_tables.tanh_table(source, tanh), reference_table("TANH", source, tanh))


def tie_tables(seed: int) -> "list[tuple[Affine, Affine, np.ndarray, np.ndarray]]":
    """Pairs whose RELU differs with the precision of the quotient: both tables."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < 20:
        scale = f32(10 ** rng.uniform(-4, 1))
        pair = Affine(scale, -128), Affine(f32(scale * rng.integers(1, 200) / (rng.integers(0, 120) + 0.5)), -128)
        single, double = (tables.relu_table("RELU", *pair, single=flag) for flag in (True, False))
        if not np.array_equal(single, double):
            found.append((*pair, single, double))
    return found


def test_litert_divides_scales_in_float32() -> None:
    for source, target, single, _ in tie_tables(1):
        assert np.array_equal(reference_table("RELU", source, target), single)


def micro_table(name: str, source: Affine, target: Affine, **options: Any) -> "np.ndarray":
    """What TFLite Micro gives for all 256 inputs."""
    micro = pytest.importorskip("tflite_micro", reason="TFLite Micro's interpreter is not installed")
    interpreter = micro.runtime.Interpreter.from_bytes(unary_network(name, source, target, **options))
    interpreter.set_input(EVERY["INT8"], 0)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0)).ravel()


def test_tflite_micro_divides_scales_in_float64() -> None:
    for source, target, _, double in tie_tables(2):
        assert np.array_equal(micro_table("RELU", source, target), double)
        alpha = 0.1
        leaky = tables.leaky_relu_table(alpha, source, target, single=False)
        assert np.array_equal(micro_table("LEAKY_RELU", source, target, alpha=alpha), leaky)
        assert np.array_equal(micro_table("RELU6", source, target), tables.clamp_table("RELU6", source))


@given(affines(-4, 1.5))
@settings(max_examples=EXAMPLES, deadline=None)
def test_logistic_and_tanh_of_tflite_micro(source: Affine) -> None:
    assert np.array_equal(micro_table("LOGISTIC", source, Affine(1 / 256, -128)), tables.micro_logistic_table(source))
    assert np.array_equal(micro_table("TANH", source, Affine(1 / 128, 0)), tables.micro_tanh_table(source))


@pytest.mark.parametrize(
    "make",
    [
        lambda source, target: tables.relu_table("RELU", source, target, single=True),
        lambda source, target: tables.leaky_relu_table(0.1, source, target, single=True),
        tables.requantize_table,
        tables.abs_table,
    ],
)
def test_what_overflows_in_the_reference_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="so large that the reference overflows int32"):
        make(Affine(700.0, 0), Affine(f32(1e-5), 0))


def test_what_is_undefined_in_the_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves int32, where the reference is undefined"):
        float_tables.exp_table(Affine(1.0, -128), Affine(1.0, 0))
