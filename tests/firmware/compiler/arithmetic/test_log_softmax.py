"""Log-softmax against LiteRT."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.log_softmax import log_of_sum, log_softmax, log_softmax_parameters

from ..networks import NetworkWriter, Reference
from ..one_op import f32, scales, zero_points
from .test_softmax import ROWS, logits


def log_softmax_network(columns: int, scale: float, zero_point: int, rows: int = ROWS) -> bytes:
    """One LOG_SOFTMAX of `rows` rows."""
    net = NetworkWriter()
    value, made = net.tensor((rows, columns), scale, zero_point), net.tensor((rows, columns), 1 / 16, 127)
    net.op("LOG_SOFTMAX", [value], [made])
    return net.bytes([value], [made])


@given(
    st.one_of(st.integers(1, 12), st.integers(13, 500)),
    st.one_of(scales(-2.5, 0), scales(-5, 3)),
    zero_points(),
    st.integers(0, 1 << 31),
)
@settings(max_examples=120, deadline=None)
def test_log_softmax_equals_litert(columns: int, scale: float, zero_point: int, seed: int) -> None:
    values = logits(seed, columns)
    wanted = Reference(log_softmax_network(columns, scale, zero_point)).run(values)[0]
    assert np.array_equal(log_softmax(values, log_softmax_parameters(scale)), wanted)


@pytest.mark.parametrize("columns", [2000, 4095])
def test_log_softmax_of_many_classes_equals_litert(columns: int) -> None:
    for scale in (1e-4, 0.02, 0.3):
        values = logits(columns, columns, 8)
        wanted = Reference(log_softmax_network(columns, f32(scale), 0, 8)).run(values)[0]
        assert np.array_equal(log_softmax(values, log_softmax_parameters(f32(scale))), wanted)


def test_the_logarithm_of_powers_of_two_is_within_a_millionth() -> None:
    powers = np.arange(19, 31)
    found = log_of_sum(np.left_shift(np.int64(1), powers)) / (1 << 26)
    assert np.abs(found - np.log(2.0) * (powers - 19)).max() < 1e-6
