"""Convolutional networks over windows, and cards for them."""

import numpy as np
from tests.firmware.compiler.networks import NetworkWriter
from tests.firmware.models import make_card

from edgecnn_firmware.card import (
    Card,
    ChannelCard,
    CountsCard,
    DeploymentCard,
    InputCard,
    NormalizationCard,
    StatisticsCard,
)

SCALE, ZERO = 0.1, -3
"""Of the input, as `make_card` has them."""


def conv_model(
    length: int, channels: int, outputs: int = 3, *, pool: int = 2, same: bool = False, columns: bool = False
) -> bytes:
    """A window to probabilities: two convolutions with a pooling between them, then a dense layer over all rows.

    Args:
        length: samples.
        channels: of a sample.
        outputs: of a softmax; 1 is a sigmoid.
        pool: rows that the pooling takes together, and moves by.
        same: whether convolutions are padded.
        columns: whether the values of a sample lie below each other, a row each.
    """
    net, draw = NetworkWriter(), np.random.default_rng(length + channels)
    if columns:
        length, channels = length * channels, 1

    def conv(given: int, length: int, channels: int, out: int, kernel: int, scale: float) -> tuple[int, int]:
        weights = draw.integers(-127, 128, (out, 1, kernel, channels)).astype(np.int8)
        bias = draw.integers(-3000, 3000, out).astype(np.int32)
        length -= 0 if same else kernel - 1
        made = net.tensor((1, 1, length, out), 0.06, -5)
        constants = [net.const(weights, np.full(out, 0.004)), net.const(bias, np.full(out, scale * 0.004))]
        options = {"padding": 0 if same else 1, "strideW": 1, "strideH": 1, "fusedActivationFunction": 1}
        net.op("CONV_2D", [given, *constants], [made], **options, dilationWFactor=1, dilationHFactor=1)
        return made, length

    window = net.tensor((1, 1, length, channels), SCALE, ZERO)
    last, length = conv(window, length, channels, 6, 5, SCALE)
    length //= pool
    pooled = net.tensor((1, 1, length, 6), 0.06, -5)
    sizes = {"strideW": pool, "strideH": 1, "filterWidth": pool, "filterHeight": 1}
    net.op("MAX_POOL_2D", [last], [pooled], padding=1, **sizes, fusedActivationFunction=0)
    last, length = conv(pooled, length, 6, 4, 3, 0.06)
    flat, scores = net.tensor((1, 4 * length), 0.06, -5), net.tensor((1, outputs), 0.1, 3)
    net.op("RESHAPE", [last, net.const(np.array([1, 4 * length], np.int32))], [flat])
    weights = draw.integers(-127, 128, (outputs, 4 * length)).astype(np.int8)
    constants = [net.const(weights, 0.002), net.const(np.zeros(outputs, np.int32), 0.00012)]
    net.op("FULLY_CONNECTED", [flat, *constants], [scores], fusedActivationFunction=0)
    chances = net.tensor((1, outputs), 1 / 256, -128)
    if outputs == 1:
        net.op("LOGISTIC", [scores], [chances])
    else:
        net.op("SOFTMAX", [scores], [chances], beta=1.0)
    return net.bytes([window], [chances])


def window_card(window: int, hop: int, channels: int, labels: int = 3, **deployment: object) -> Card:
    """A card with counts and statistics for `conv_model` and its like; two labels are a sigmoid's."""
    draw = np.random.default_rng(channels)
    offset, gain = draw.normal(0, 1, channels), draw.uniform(0.5, 2, channels)
    counts = CountsCard(unit_per_count=(1 / 512,) * channels, zero_count=(5.0,) * channels)
    return make_card(
        labels=tuple("abcdefghijkl"[:labels]),
        output="sigmoid" if labels == 2 else "softmax",
        input=InputCard(
            window_samples=window,
            hop_samples=hop,
            sample_rate_hz=50.0,
            channels=tuple(ChannelCard(name=f"c{index}", unit="g") for index in range(channels)),
        ),
        normalization=NormalizationCard(method="standard", offset=tuple(offset.tolist()), gain=tuple(gain.tolist())),
        deployment=DeploymentCard(counts=counts, **deployment),
        statistics=StatisticsCard(mean=tuple(offset.tolist()), deviation=tuple((1 / gain).tolist())),
    )
