"""Softmax against LiteRT."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.softmax import MOST_CLASSES, softmax, softmax_parameters

from ..networks import NetworkWriter, Reference
from ..one_op import f32, scales, zero_points

ROWS = 48


def softmax_network(columns: int, scale: float, zero_point: int, beta: float, rows: int = ROWS) -> bytes:
    """One SOFTMAX of `rows` rows."""
    net = NetworkWriter()
    value, made = net.tensor((rows, columns), scale, zero_point), net.tensor((rows, columns), 1 / 256, -128)
    net.op("SOFTMAX", [value], [made], beta=beta)
    return net.bytes([value], [made])


def logits(seed: int, columns: int, rows: int = ROWS) -> "np.ndarray":
    """Rows of all kinds: ends only, all equal, close together, spread out."""
    rng = np.random.default_rng(seed)
    found = rng.integers(-128, 128, (rows, columns))
    found[: rows // 2] = rng.integers(-128, 128, (rows // 2, 1)) + rng.integers(-6, 7, (rows // 2, columns))
    found[0], found[1], found[2] = 127, -128, -128
    found[2, -1] = 127
    found[3] = rng.choice([-128, 127], columns)
    return np.clip(found, -128, 127).astype(np.int8)


@given(
    st.one_of(st.integers(1, 12), st.integers(13, 200)),
    st.one_of(scales(-2.5, 0), scales(-5, 3)),
    zero_points(),
    st.sampled_from([1.0, 1.0, 0.1, 0.5, 2.0, 7.3]),
    st.integers(0, 1 << 31),
)
@settings(max_examples=150, deadline=None)
def test_softmax_equals_litert(columns: int, scale: float, zero_point: int, beta: float, seed: int) -> None:
    values = logits(seed, columns)
    wanted = Reference(softmax_network(columns, scale, zero_point, beta)).run(values)[0]
    assert np.array_equal(softmax(values, softmax_parameters(scale, f32(beta))), wanted)


@pytest.mark.parametrize("columns", [500, MOST_CLASSES])
def test_softmax_of_many_classes_equals_litert(columns: int) -> None:
    for scale in (1e-4, 0.02, 0.3):
        values = logits(columns, columns, 8)
        wanted = Reference(softmax_network(columns, f32(scale), 0, 1.0, 8)).run(values)[0]
        assert np.array_equal(softmax(values, softmax_parameters(f32(scale), 1.0)), wanted)


def test_every_pair_of_two_classes_equals_litert() -> None:
    values = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), axis=-1).reshape(-1, 2).astype(np.int8)
    for scale in (0.01, 0.11, 1.7):
        wanted = Reference(softmax_network(2, f32(scale), 5, 1.0, len(values))).run(values)[0]
        assert np.array_equal(softmax(values, softmax_parameters(f32(scale), 1.0)), wanted)
