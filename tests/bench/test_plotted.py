"""Which windows are plotted, and what is kept of them."""

import numpy as np
import pytest

from edgecnn_bench.plotted import MOST_WINDOWS, changed_windows, plotted
from edgecnn_bench.results import Changed, Parity
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import Card, ChannelCard, InputCard, NormalizationCard, QuantizationCard, TensorQuantization

SCALE = TensorQuantization(scale=1 / 256, zero_point=-128)


def card(samples: int, channels: int) -> Card:
    return Card(
        name="waves",
        version="1.0.0",
        labels=("a", "b"),
        output="softmax",
        input=InputCard(
            window_samples=samples,
            hop_samples=samples,
            sample_rate_hz=1.0,
            channels=tuple(ChannelCard(name=f"c{index}") for index in range(channels)),
        ),
        normalization=NormalizationCard(method="none", offset=(0.0,) * channels, gain=(1.0,) * channels),
        quantization=QuantizationCard(input=SCALE, output=SCALE),
    )


def pair(reference: str, candidate: str, *changed: int) -> Parity:
    return Parity(
        reference=reference,
        candidate=candidate,
        n=100,
        agreement=wilson(100 - len(changed), 100),
        mcnemar=None,
        accuracy_drop=None,
        max_probability_difference=0.1,
        mean_probability_difference=0.1,
        max_lsb_difference=None,
        changed=tuple(
            Changed(
                window=window,
                group="",
                truth="a",
                reference="a",
                candidate="b",
                reference_probability=0.6,
                candidate_probability=0.6,
            )
            for window in changed
        ),
    )


def test_float_against_int8_comes_first_and_windows_once() -> None:
    parity = [
        pair("litert-reference", "litert", 1, 2),
        pair("keras", "litert-float32", 5),
        pair("keras", "litert-reference", 9, 2),
    ]
    assert changed_windows(parity) == (9, 2, 1, 5)


@pytest.mark.parametrize(("samples", "step", "kept"), [(1, 1, 1), (200, 1, 200), (201, 2, 101), (1000, 5, 200)])
def test_every_step_th_sample_from_the_first(samples: int, step: int, kept: int) -> None:
    windows = np.random.default_rng(0).normal(0, 1, (3, samples, 6)).astype(np.float32)
    (found,) = plotted([pair("keras", "litert-reference", 2)], windows, card(samples, 6))
    assert (found.window, found.sample_step, found.channels) == (2, step, ("c0", "c1", "c2", "c3"))
    assert np.shape(found.samples) == (4, kept)
    for channel, row in enumerate(found.samples):
        assert row == pytest.approx(windows[2, ::step, channel].tolist(), rel=1e-4)


def test_no_more_than_a_dozen_and_none_that_is_infinite() -> None:
    windows = np.ones((100, 4, 1), np.float32)
    windows[3, 1] = np.inf
    found = plotted([pair("keras", "litert-reference", *range(20))], windows, card(4, 1))
    assert [row.window for row in found] == [number for number in range(20) if number != 3][:MOST_WINDOWS]
    assert plotted([pair("keras", "litert-reference")], windows, card(4, 1)) == ()


def test_five_digits_are_kept() -> None:
    windows = np.full((1, 1, 1), 123.456789, np.float32)
    assert plotted([pair("a", "b", 0)], windows, card(1, 1))[0].samples == ((123.46,),)
