"""Comparisons and quotients of int8 against LiteRT on all 65,536 pairs of inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.affine import Affine
from edgecnn_firmware.compiler.arithmetic.pointwise import COMPARE, compare, quotient
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import ModelError

from ..networks import NetworkWriter, Reference
from ..one_op import affines, f32, scales, zero_points

ALL = np.arange(-128, 128)


def _network(name: str, a: Affine, b: Affine, target: Affine | None, shapes, **options) -> bytes:
    net = NetworkWriter()
    operands = [net.tensor(shape, x.scale, x.zero_point) for shape, x in zip(shapes, (a, b), strict=True)]
    whole = np.broadcast_shapes(*shapes)
    quantization = (target.scale, target.zero_point) if target else (None, 0)
    made = net.tensor(whole, *quantization, kind="INT8" if target else "BOOL")
    net.op(name, operands, [made], **options)
    return net.bytes(operands, [made])


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(sorted(COMPARE)), affines(-5, -0.01), affines(-5, -0.01))
def test_comparisons_of_all_pairs_equal_litert(name: str, a: Affine, b: Affine) -> None:
    x, y = (grid.astype(np.int8)[None] for grid in np.meshgrid(ALL, ALL, indexing="ij"))
    wanted = Reference(_network(name, a, b, None, [x.shape, y.shape])).run(x, y)[0]
    assert np.array_equal(compare(name, a, b)(x, y), wanted)


@settings(max_examples=20, deadline=None)
@given(
    scales(-3, 0),
    scales(-3, 0),
    st.floats(-4, -1.81),
    zero_points(),
    zero_points(),
    zero_points(),
    st.sampled_from([0, 1, 3]),
)
def test_quotients_of_all_pairs_equal_litert(
    scale: float, other: float, power: float, first: int, second: int, third: int, activation: int
) -> None:
    a, b, target = Affine(scale, first), Affine(other, second), Affine(f32(scale / other * 10**power), third)
    # The reference refuses a divisor of 0, and beyond these scales it shifts 0 by more than 31 bits.
    x, y = (grid.astype(np.int8)[None] for grid in np.meshgrid(ALL, ALL[second != ALL], indexing="ij"))
    wanted = Reference(_network("DIV", a, b, target, [x.shape, y.shape], fusedActivationFunction=activation)).run(x, y)[
        0
    ]
    assert np.array_equal(quotient(a, b, target, _clamp(activation, target))(x, y), wanted)


def _clamp(activation: int, target: Affine) -> tuple[int, int]:
    """Bounds of a fused activation."""
    low, high = {0: (-1e30, 1e30), 1: (0.0, 1e30), 3: (0.0, 6.0)}[activation]

    def quantized(real: float) -> int:
        step = float(np.float32(real) / np.float32(target.scale))
        return target.zero_point + int(np.clip(np.copysign(np.floor(abs(step) + 0.5), step), -1000, 1000))

    return max(-128, quantized(low)), min(127, quantized(high))


def test_a_shift_that_is_undefined_is_refused() -> None:
    with pytest.raises(ModelError, match="the reference's shift is undefined"):
        quotient(Affine(0.5, 0), Affine(0.5, 0), Affine(1.0, 0), (-128, 127))(np.array([0]), np.array([5]))


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_litert_refuses_to_compare_scales_from_1_on(scale: float) -> None:
    model = _network("GREATER", Affine(scale, 0), Affine(0.5, 0), None, [(1, 4), (1, 4)])
    with pytest.raises(ModelError, match=r"op #0 GREATER .*: scales .*; the reference compares scales below 1"):
        compile_model(model, "model", "net")
