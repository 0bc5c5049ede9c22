"""Disturbances against plain loops, numpy and SciPy; the curves against engines that remember what they saw."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_bench.disturbances import Disturbance, channel_deviations, disturbances, xyz_triples
from edgecnn_bench.engines.litert import InterpreterEngine
from edgecnn_bench.engines.protocol import RunOutputs
from edgecnn_bench.results import Robustness
from edgecnn_bench.robustness import pick_engines, robustness, stratified
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.card import Card, ChannelCard, InputCard, NormalizationCard, QuantizationCard, TensorQuantization
from edgecnn_firmware.errors import EdgeCnnError

SCALE = TensorQuantization(scale=1 / 256, zero_point=-128)
SAMPLES = 50
NAMES = ("acc_x", "acc_y", "acc_z", "gx", "gy", "gz", "ppg")
STD = np.array([1.0, 2, 4, 8, 16, 32, 0.5])


def card(method: str = "standard") -> Card:
    units = ("g", "g", "g", "rad/s", "rad/s", "rad/s", "")
    return Card(
        name="waves",
        version="1.0.0",
        labels=("low", "high"),
        output="softmax",
        input=InputCard(
            window_samples=SAMPLES,
            hop_samples=SAMPLES,
            sample_rate_hz=1.0,
            channels=tuple(ChannelCard(name=name, unit=unit) for name, unit in zip(NAMES, units, strict=True)),
        ),
        normalization=NormalizationCard(method=method, offset=(0.0,) * 7, gain=tuple(1 / STD)),
        quantization=QuantizationCard(input=SCALE, output=SCALE),
    )


def some_windows(n: int = 40) -> np.ndarray:
    return np.random.default_rng(1).normal(3, STD, (n, SAMPLES, 7)).astype(np.float32)


def kind(key: str, windows: np.ndarray) -> Disturbance:
    return {found.key: found for found in disturbances(card(), windows)}[key]


def disturbed(key: str, windows: np.ndarray, level: float, seed: int = 5) -> np.ndarray:
    return kind(key, windows).apply(windows, level, np.random.default_rng(seed))


def test_neutral_levels_change_nothing_and_others_do() -> None:
    windows = some_windows()
    before = windows.copy()
    found = disturbances(card(), windows)
    assert [row.key for row in found] == ["noise", "gain", "offset", "sample-rate", "dropped", "rotation"]
    for row in found:
        assert row.neutral in row.levels
        assert 5 <= len(row.levels) <= 7
        assert list(row.levels) == sorted(row.levels)
        for level in row.levels:
            made = row.apply(windows, level, np.random.default_rng(5))
            assert (made.shape, made.dtype) == (windows.shape, np.float32)
            unchanged = np.allclose(made, windows, rtol=0, atol=1e-4)
            assert unchanged == (level == row.neutral), (row.key, level)
            assert np.array_equal(made, row.apply(windows, level, np.random.default_rng(5)))
    assert np.array_equal(windows, before)


def test_noise_is_a_share_of_each_channels_deviation() -> None:
    windows = some_windows(200)
    noise = disturbed("noise", windows, 0.5) - windows
    assert noise.std(axis=(0, 1)) == pytest.approx(0.5 * STD, rel=0.05)
    assert noise.mean(axis=(0, 1)) == pytest.approx(np.zeros(7), abs=0.3)


def test_gain_and_offset() -> None:
    windows = some_windows()
    assert np.array_equal(disturbed("gain", windows, 0.5), windows * 0.5)
    assert np.allclose(disturbed("offset", windows, -0.2), windows - 0.2 * STD, rtol=0, atol=1e-4)


@pytest.mark.parametrize("level", [-10.0, -2.0, 5.0])
def test_sample_rate_against_numpys_interpolation(level: float) -> None:
    windows = some_windows(3)
    middle = (SAMPLES - 1) / 2
    at = middle + (np.arange(SAMPLES) - middle) / (1 + level / 100)
    made = disturbed("sample-rate", windows, level)
    for window in range(3):
        for channel in range(7):
            expected = np.interp(at, np.arange(SAMPLES), windows[window, :, channel])  # holds the ends
            assert np.allclose(made[window, :, channel], expected, rtol=0, atol=1e-4)


def test_a_wave_sampled_faster_looks_slower() -> None:
    wave = np.sin(2 * np.pi * np.arange(SAMPLES) / 10)[np.newaxis, :, np.newaxis]
    windows = np.repeat(wave, 7, axis=2).astype(np.float32)
    crossings = [
        np.count_nonzero(np.diff(np.sign(disturbed("sample-rate", windows, level)[0, :, 0]))) for level in (-10, 10)
    ]
    assert crossings[0] > crossings[1]


@pytest.mark.parametrize("level", [2.0, 10.0, 60.0, 100.0])
def test_a_stretch_is_held(level: float) -> None:
    # Samples number themselves, so that what is held tells where it is from.
    windows = np.broadcast_to(np.arange(SAMPLES, dtype=np.float32)[:, np.newaxis], (60, SAMPLES, 7)).copy()
    made = disturbed("dropped", windows, level)
    lost = min(SAMPLES - 1, round(SAMPLES * level / 100))
    starts = set()
    for window in made:
        assert (window == window[:, :1]).all(), "all channels at once"
        gone = sorted(set(range(SAMPLES)) - set(window[:, 0].astype(int)))
        assert gone == list(range(gone[0], gone[0] + lost))
        starts.add(gone[0])
        for at in range(SAMPLES):
            expected = at if at not in gone else gone[0] - 1 if gone[0] else lost
            assert window[at, 0] == expected
    assert min(starts) >= 0
    assert max(starts) <= SAMPLES - lost
    assert len(starts) > 1


def test_one_sample_alone_cannot_be_lost() -> None:
    windows = np.ones((2, 1, 7), np.float32)
    assert np.array_equal(disturbed("dropped", windows, 60.0), windows)
    assert np.array_equal(disturbed("sample-rate", windows, -10.0), windows)


def test_rotation_is_scipys() -> None:
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    windows = some_windows(20)
    made = disturbed("rotation", windows, 20.0)
    axes = np.random.default_rng(5).standard_normal((20, 1, 3))[:, 0]
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    for window, axis in enumerate(axes):
        turn = rotation.from_rotvec(np.deg2rad(20) * axis)
        for triple in ((0, 1, 2), (3, 4, 5)):
            expected = turn.apply(windows[window][:, triple].astype(np.float64))
            assert np.allclose(made[window][:, triple], expected, rtol=0, atol=1e-4)
    assert np.array_equal(made[:, :, 6], windows[:, :, 6]), "what is no triple does not turn"


@pytest.mark.parametrize(
    ("names", "unit", "expected"),
    [
        (("acc_x", "acc_y", "acc_z"), "g", [(0, 1, 2)]),
        (("z", "y", "x"), "", [(2, 1, 0)]),
        (("AccX", "GyrX", "AccY", "GyrY", "AccZ", "GyrZ"), "m/s2", [(0, 2, 4), (1, 3, 5)]),
        (("x acc left", "y acc left", "z acc left"), "g", [(0, 1, 2)]),
        (("ax1", "ay1", "az1", "ax2", "ay2", "az2"), "g", [(0, 1, 2), (3, 4, 5)]),
        (("hand.z.g", "hand.x.g", "hand.y.g"), "g", [(1, 2, 0)]),
        (("xaccel", "yaccel", "zaccel"), "g", [(0, 1, 2)]),
        (("acc_x", "acc_y"), "g", []),
        (("ecg",), "mV", []),
        (("vx", "vy", "vz"), "mV", []),
        (("I", "II", "III"), "", []),
    ],
)
def test_triples(names: Sequence[str], unit: str, expected: list[tuple[int, int, int]]) -> None:
    assert list(xyz_triples([ChannelCard(name=name, unit=unit) for name in names])) == expected


def test_triples_have_one_unit() -> None:
    channels = [ChannelCard(name=name, unit=unit) for name, unit in (("ax", "g"), ("ay", "g"), ("az", "m/s2"))]
    assert xyz_triples(channels) == ()


def test_deviations_are_the_cards_or_measured() -> None:
    windows = some_windows(300)
    deviations, of = channel_deviations(card(), windows)
    assert (deviations.tolist(), of) == (pytest.approx(STD.tolist()), "training")
    deviations, of = channel_deviations(card("constants"), windows)
    assert (deviations.tolist(), of) == (pytest.approx(STD.tolist(), rel=0.1), "measured")
    assert "measured" in disturbances(card("constants"), windows)[0].unit


@settings(deadline=None)
@given(st.lists(st.integers(-1, 4), max_size=80), st.integers(1, 90), st.integers(0, 3))
def test_windows_are_a_fair_share_of_each_class(labels: list[int], most: int, seed: int) -> None:
    truth = np.array(labels, np.int64)
    chosen = stratified(truth, most, seed)
    known = truth[truth >= 0]
    assert len(chosen) == min(most, len(known))
    assert list(chosen) == sorted(set(chosen.tolist()))
    assert (truth[chosen] >= 0).all()
    classes, counts = np.unique(known, return_counts=True)
    taken = [int(np.count_nonzero(truth[chosen] == label)) for label in classes]
    for all_of, found in zip(counts, taken, strict=True):
        assert abs(found - len(chosen) * all_of / len(known)) <= len(classes)
        assert found >= 1 or most < len(classes)
    assert np.array_equal(chosen, stratified(truth, most, seed))


def test_shares_by_hand() -> None:
    truth = np.array([0] * 900 + [1] * 99 + [2] + [-1] * 50)
    chosen = stratified(truth, 100, 0)
    assert np.bincount(truth[chosen]).tolist() == [89, 10, 1]
    assert stratified(truth, 5000, 0).tolist() == list(range(1000))


class Remembering:
    """Says `high` where the first channel's mean is over a threshold, and keeps what it saw."""

    threads = 1

    def __init__(self, threshold: float = 3.0) -> None:
        self.threshold = threshold
        self.seen: list[np.ndarray] = []

    def outputs(self, windows: np.ndarray, tick: object) -> RunOutputs:
        self.seen.append(windows)
        high = (windows[:, :, 0].mean(axis=1) > self.threshold).astype(np.float32)
        probabilities = np.stack([1 - high, high], axis=1)
        return RunOutputs(probabilities, probabilities)


def curves(float_run: Remembering | None, int8_run: Remembering, seed: int = 0, **more: int) -> tuple[Robustness, ...]:
    windows = some_windows()
    labels = (windows[:, :, 0].mean(axis=1) > 3).astype(np.int64)
    labels[::7] = -1
    named = None if float_run is None else ("keras", float_run)
    return robustness(Bundle(Path("nowhere"), card()), windows, labels, named, ("litert", int8_run), seed, **more)


def test_both_engines_see_the_same_windows() -> None:
    one, other = Remembering(), Remembering(3.2)
    told: list[tuple[int, int]] = []
    found = curves(one, other, progress=lambda task, done, total, note="": told.append((done, total)))
    assert len(one.seen) == len(other.seen) == 1 + sum(len(row.points) - 1 for row in found)
    assert all(np.array_equal(left, right) for left, right in zip(one.seen, other.seen, strict=True))
    assert told == [(number + 1, len(one.seen)) for number in range(len(one.seen))]
    assert {row.windows for row in found} == {34}
    assert {(row.float_engine, row.int8_engine) for row in found} == {("keras", "litert")}


def test_accuracy_falls_where_the_disturbance_says_so() -> None:
    found = {row.key: row for row in curves(Remembering(), Remembering(3.2))}
    for row in found.values():
        neutral = next(point for point in row.points if point.level == (1.0 if row.key == "gain" else 0.0))
        assert neutral.float_accuracy is not None
        assert (neutral.float_accuracy.value, neutral.float_accuracy.n) == (1.0, 34)
        assert neutral.int8_accuracy.value < 1.0
    far = found["offset"].points[-1]
    assert far.float_accuracy is not None
    assert far.float_accuracy.value < 0.8, "every window looks high"


def test_the_same_seed_gives_the_same_curves() -> None:
    one, again, other = Remembering(), Remembering(), Remembering()
    assert curves(None, one, most=10) == curves(None, again, most=10)
    assert all(np.array_equal(left, right) for left, right in zip(one.seen, again.seen, strict=True))
    curves(None, other, seed=1, most=10)
    assert not np.array_equal(one.seen[0], other.seen[0])


def test_without_a_float_engine_there_is_one_curve() -> None:
    found = curves(None, Remembering())
    assert {row.float_engine for row in found} == {""}
    assert {point.float_accuracy for row in found for point in row.points} == {None}


def test_nothing_without_labels_or_engine() -> None:
    windows, unknown = some_windows(5), np.full(5, -1)
    bundle = Bundle(Path("nowhere"), card())
    assert robustness(bundle, windows, unknown, None, ("litert", Remembering()), 0) == ()
    assert robustness(bundle, windows, np.zeros(5, np.int64), None, None, 0) == ()


def test_infinite_samples_are_left_out() -> None:
    windows = some_windows(6)
    windows[2, 3, 1] = np.inf
    engine = Remembering()
    found = robustness(Bundle(Path("nowhere"), card()), windows, np.zeros(6, np.int64), None, ("x", engine), 0)
    assert {row.windows for row in found} == {5}
    assert all(np.isfinite(seen).all() for seen in engine.seen)


def test_huge_samples_overflow_in_one_line(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    windows = np.full((4, 32, 2), 3e38, np.float32)
    engine = InterpreterEngine("litert-float32", "", "float32", "model_float32.tflite").load(bundle)
    with pytest.raises(EdgeCnnError, match="litert-float32"):
        robustness(bundle, windows, np.zeros(4, np.int64), None, ("litert-float32", engine), 0)


def test_real_engines_agree_without_disturbance(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    vectors = bundle.vectors()
    engines = (
        InterpreterEngine("litert-float32", "", "float32", "model_float32.tflite"),
        InterpreterEngine("litert-reference", "", kernels="reference"),
    )
    loaded = {engine.key: engine.load(bundle) for engine in engines}
    real, int8 = pick_engines(loaded)
    found = robustness(bundle, vectors.windows, vectors.labels, real, int8, 3)
    assert [row.key for row in found] == ["noise", "gain", "offset", "sample-rate", "dropped"]
    outputs = loaded["litert-reference"].outputs(vectors.windows, lambda _: None)
    right = float(np.mean(outputs.probabilities.argmax(axis=1) == vectors.labels))
    assert {row.points[0].int8_accuracy.value for row in found if row.points[0].level == 0} == {right}


def test_engines_are_picked_in_order() -> None:
    one, other = Remembering(), Remembering()
    assert pick_engines({"litert": one, "compiled": other, "keras": one}) == (("keras", one), ("compiled", other))
    assert pick_engines({"litert-reference": one}) == (None, ("litert-reference", one))
    assert pick_engines({}) == (None, None)
